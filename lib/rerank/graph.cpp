#include "graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <cbir/base/parallel.hpp>
#include <cbir/index/vectors.hpp>

namespace cbir {
namespace {

constexpr std::size_t kColumns = 64;  // averaged at a time: so much of all rows is held twice
constexpr std::size_t kRows = 256;    // that a thread takes
constexpr double kLeast = .5;         // relative similarity below which a row is no neighbour
constexpr double kSharpness = 2;      // power of what is above that

/// How near a row's nearest neighbour is; never 0.
double nearest(const Neighbours& neighbours, std::size_t i) {
  return std::max<double>(static_cast<double>(neighbours.scores_of(i).front()), 1e-6);
}

double membership(double score, double scale) {
  const double relative = std::min(1.0, score / scale);
  return relative <= kLeast ? 0 : std::pow((relative - kLeast) / (1 - kLeast), kSharpness);
}

}  // namespace

NeighbourGraph weigh(const Neighbours& neighbours, double alpha) {
  NeighbourGraph graph;
  const std::size_t rows = neighbours.rows.size() / neighbours.k;
  graph.first.push_back(0);
  for (std::size_t i = 0; i < rows; ++i) {
    const double own = nearest(neighbours, i);
    const auto others = neighbours.rows_of(i);
    const auto scores = neighbours.scores_of(i);
    for (std::size_t n = 0; n < neighbours.k; ++n) {
      const auto score = static_cast<double>(scores[n]);
      if (score <= 0) break;
      const double member = membership(score, std::sqrt(own * nearest(neighbours, others[n])));
      if (member == 0) continue;
      graph.mean_neighbours += member;
      graph.rows.push_back(others[n]);
      graph.weights.push_back(static_cast<float>(member * std::pow(score, alpha)));
    }
    graph.first.push_back(graph.rows.size());
  }
  graph.mean_neighbours /= static_cast<double>(rows);
  return graph;
}

void smooth(Vectors& vectors, const NeighbourGraph& graph) {
  using Strip = std::array<float, kColumns>;
  std::vector<Strip> old(vectors.rows());
  for (std::size_t column = 0; column < vectors.dim(); column += kColumns) {
    const std::size_t width = std::min(kColumns, vectors.dim() - column);
    parallel_blocks(vectors.rows(), kRows, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        old[i].fill(0);
        std::copy_n(vectors.row(i).data() + column, width, old[i].begin());
      }
    });
    parallel_blocks(vectors.rows(), kRows, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        Strip sum = old[i];
        for (std::size_t n = graph.first[i]; n < graph.first[i + 1]; ++n) {
          const Strip& other = old[graph.rows[n]];
          const float weight = graph.weights[n];
          for (std::size_t c = 0; c < kColumns; ++c) sum[c] += weight * other[c];
        }
        std::copy_n(sum.begin(), width, vectors.row(i).data() + column);
      }
    });
  }
  parallel_blocks(vectors.rows(), kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) prepare_vector(vectors.row(i), true);
  });
}

}  // namespace cbir
