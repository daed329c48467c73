#pragma once
/// What a cut-off on the score would do, as far as counts in bins tell.

#include <cstdint>
#include <optional>
#include <vector>

#include <cbir/eval/scores.hpp>

namespace cbir {

/// Of the pairs of a query and an item that score at least `score`.
struct CutPoint {
  double score = 0;                       ///< the lower edge of a bin
  double precision = 0;                   ///< share of them that are relevant
  double recall = 0;                      ///< share of all relevant pairs that are among them
  std::uint64_t relevant = 0, pairs = 0;  ///< how many they are

  double f1() const { return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0; }
};

/// One for each bin, from the lowest; none if no pair is relevant. Bins above all pairs have a precision of 1.
std::vector<CutPoint> cut_points(const ScoreDistribution& distribution);

/// That of the highest F1, the harmonic mean of precision and recall; of equal ones the highest score.
std::optional<CutPoint> cut_of_best_f1(const ScoreDistribution& distribution);

/// The lowest at which the precision is reached, which is that of the highest recall; of those with the same pairs the
/// highest. Nothing if none has it.
std::optional<CutPoint> cut_of_precision(const ScoreDistribution& distribution, double precision);

}  // namespace cbir
