#pragma once
/// What is measured of one ranking by the ranks of its relevant items, and the mean precision-recall curve of many.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cbir {

/// With R relevant items, and rel(i) = 1 if the item at rank i is relevant:
///
///   map = 1/R sum_i rel(i) P(i), where P(i) = (relevant at ranks <= i) / i: average precision
///   mrr = 1 / rank of the first relevant item
///   r_precision = P(R)
///   map@r = 1/R sum_{i <= R} rel(i) P(i)   (Musgrave, Belongie, Lim: A Metric Learning Reality Check, 2020)
///   p@k = P(k); r@k = relevant at ranks <= k / R; hit@k = 1 if any is
///   ndcg@k = sum_{i <= k} rel(i) / log2(i + 1), divided by what it is if all relevant items come first
///            (Jarvelin and Kekalainen: Cumulated gain-based evaluation of IR techniques, 2002; gains of 0 and 1, and
///            the discount that trec_eval has)
///
/// Relevant items that the ranking lacks count as found at no rank.
class RankMeasures {
 public:
  /// `most_relevant`: the largest R there will be. Throws UsageError for a cut-off of 0, or that stands twice.
  RankMeasures(std::vector<std::size_t> cutoffs, std::uint64_t most_relevant);

  std::size_t size() const { return 4 + 4 * cutoffs_.size(); }
  /// Those above, each @k for every cut-off.
  std::vector<std::string> names() const;

  /// `ranks`: of the relevant items that the ranking holds, from 1, ascending. `relevant`: R, at least 1. `out`: size()
  /// values.
  void measure(std::span<const std::uint64_t> ranks, std::uint64_t relevant, std::span<double> out) const;

 private:
  double ndcg(std::span<const std::uint64_t> ranks, std::uint64_t relevant, std::size_t cutoff) const;

  std::vector<std::size_t> cutoffs_;
  std::vector<double> ideal_;  ///< [n]: the gain of a ranking that begins with n relevant items
};

/// Mean over queries of the interpolated precision, at recalls of 0, 1/100, ... 1: the highest precision at any rank at
/// which that much has been found (Manning, Raghavan, Schuetze: Introduction to Information Retrieval, 2008, 8.4). Sums
/// are of integers, so that it does not matter who adds what first.
class PrecisionCurve {
 public:
  static constexpr std::size_t kLevels = 101;

  /// As RankMeasures::measure.
  void add(std::span<const std::uint64_t> ranks, std::uint64_t relevant);
  void add(const PrecisionCurve& other);

  /// kLevels values; none if nothing was added.
  std::vector<double> mean() const;

 private:
  std::array<std::uint64_t, kLevels> sums_{};  ///< in units of 2^-32
  std::uint64_t queries_ = 0;
  std::vector<double> best_;
};

}  // namespace cbir
