#pragma once
/// The weighted graph that rows are averaged over; see augment.hpp.

#include <cstdint>
#include <vector>

#include <cbir/rerank/neighbours.hpp>

namespace cbir {

struct NeighbourGraph {
  std::vector<std::size_t> first;   ///< where the neighbours of each row begin; one more for the end
  std::vector<std::uint32_t> rows;  ///< neighbours
  std::vector<float> weights;       ///< w_ij
  double mean_neighbours = 0;       ///< sum of g_ij, the mean over rows
};

NeighbourGraph weigh(const Neighbours& neighbours, double alpha);

/// y_i <- y_i + sum_j w_ij y_j, brought to length 1, for all rows at once.
void smooth(Vectors& vectors, const NeighbourGraph& graph);

}  // namespace cbir
