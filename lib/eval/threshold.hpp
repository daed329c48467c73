#pragma once
/// The lowest threshold that holds a precision, over more pairs than could be kept or sorted.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "pair_curve.hpp"

namespace cbir {

/// Scores of one query against all rows. Positions: of the rows that are relevant, and of those that do not count,
/// being none of them.
struct JudgedRow {
  std::span<const float> scores;
  std::span<const std::uint32_t> relevant, left_out;
};

/// Supplies all queries, or one of every `step`, in blocks, in any order, from any number of threads; can be asked
/// several times.
using JudgedSource =
    std::function<void(std::size_t step, const std::function<void(std::span<const JudgedRow>)>& consume)>;

struct ThresholdSearch {
  std::optional<PairPoint> lowest;  ///< as lowest_with_precision
  PairPoint best;                   ///< if there is none: of the points looked at the one of highest precision
  std::uint64_t relevant = 0;       ///< pairs
};

/// Exact, in passes over all pairs. One counts pairs by the upper half of their scores' bits, in 65,536 bins; what is
/// above a bin then says whether a threshold inside it can hold the precision at all. The lowest such bins are told
/// apart by the lower half: in the same pass where some of many queries have told which they are, else in the next. So
/// it takes one pass or two, as a rule, and some megabytes always. Scores must be finite.
ThresholdSearch find_threshold(const JudgedSource& source, std::size_t queries, double precision);

}  // namespace cbir
