#pragma once
/// How often a structure finds what exact search finds: measured on its own rows, each of which is asked for as if it
/// were not there.

#include <algorithm>
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

/// Rows that ask, and their exact neighbours. A row itself does not count, and has no part in a search
/// (Structure::search_without): so it is what a query from outside is that was drawn as rows were.
class RecallSample {
 public:
  static constexpr std::size_t kNeighbours = 10;

  /// Draws as many queries as exact search can answer in about two seconds. `segment` is the one segment of an index.
  /// Deterministic for a seed.
  RecallSample(const Segment& segment, Metric metric, std::uint64_t seed);

  std::size_t queries() const noexcept { return truth_.size(); }

  /// Recall@10: of the k best scores, those that are found, or equalled.
  Measured measure(const Structure& structure, const SearchEffort& effort) const;

  /// The median time of the first `count` queries, one at a time.
  double seconds_alone(const Structure& structure, const SearchEffort& effort, std::size_t count) const;

 private:
  bool counts(std::size_t query, const Hit& hit) const { return !excludes_ || hit.id != own_[query]; }
  /// Hits that are asked for: the row itself may be among them.
  std::size_t found() const { return std::min(rows_, neighbours_ + 1); }
  MatrixView<const float> queries_view() const { return {queries_.data(), truth_.size(), stride_}; }

  std::size_t stride_;
  std::size_t rows_;
  bool excludes_;  ///< there are enough rows for it
  AlignedFloats queries_;
  std::vector<std::uint32_t> own_;  ///< the row that a query is
  std::vector<float> truth_;        ///< of each query, the score of its last neighbour
  std::size_t neighbours_;          ///< 10, or as many as there are rows
};

}  // namespace cbir
