#pragma once
/// How often a structure finds what exact search finds: measured on queries made of the rows themselves.

#include <algorithm>
#include <array>
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

/// Queries that are like rows and yet none: half way between a row and one of its neighbours, moved by a part of the
/// difference of another such pair, so that they scatter as rows do. The two rows lie too near (a graph leads straight
/// from them to their neighbours), and do not count. And the exact neighbours of the queries.
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
  static constexpr std::size_t kExcluded = 2;

  bool counts(std::size_t query, const Hit& hit) const {
    return !excludes_ || std::ranges::find(excluded_[query], hit.id) == excluded_[query].end();
  }
  MatrixView<const float> queries_view() const { return {queries_.data(), truth_.size(), stride_}; }

  std::size_t stride_;
  std::size_t rows_;
  bool excludes_;  ///< there are enough rows for it
  AlignedFloats queries_;
  std::vector<float> truth_;                                    ///< of each query, the score of its last neighbour
  std::size_t neighbours_;                                      ///< 10, or as many as there are rows that count
  std::vector<std::array<std::uint64_t, kExcluded>> excluded_;  ///< of each query
};

}  // namespace cbir
