#pragma once
/// How often a structure finds what exact search finds: measured on queries made of the rows themselves.

#include <cstdint>
#include <vector>

#include "lib/index/aligned.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

struct Measured {
  RecallEstimate recall;
  SearchCounts counts;
  double seconds = 0;  ///< of a query among many
};

/// Rows that look like new ones: a row moved by the difference between another row and its nearest neighbour. (A row
/// itself would be found too easily, as a graph leads straight to its neighbours.) And their exact neighbours.
class RecallSample {
 public:
  static constexpr std::size_t kNeighbours = 10;

  /// Draws as many queries as exact search can answer in about a second. `segment` is the one segment of an index.
  /// Deterministic for a seed.
  RecallSample(const Segment& segment, Metric metric, std::size_t dim, std::uint64_t seed);

  std::size_t queries() const noexcept { return truth_.size(); }

  /// Recall@10: of the k best scores, those that are found, or equalled.
  Measured measure(const Structure& structure, const SearchEffort& effort) const;

  /// The median time of the first `count` queries, one at a time.
  double seconds_alone(const Structure& structure, const SearchEffort& effort, std::size_t count) const;

 private:
  MatrixView<const float> queries_view() const { return {queries_.data(), truth_.size(), stride_}; }

  std::size_t stride_;
  std::size_t rows_;
  AlignedFloats queries_;
  std::vector<float> truth_;  ///< of each query, the score of its last neighbour
  std::size_t neighbours_;    ///< 10, or as many as there are rows
};

}  // namespace cbir
