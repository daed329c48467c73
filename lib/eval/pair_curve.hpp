#pragma once
/// Precision and recall over pairs of a query and a result, those of all queries together.
///
/// Pairs are taken by score, best first; those of equal score come together, so that nothing depends on an order that
/// means nothing. (scikit-learn's precision_recall_curve does the same.) Only scores of right pairs are of interest as
/// thresholds: between two of them recall stays, and precision falls.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace cbir {

/// Pairs that score at least `threshold`.
struct PairPoint {
  double threshold = 0;
  std::uint64_t right = 0, wrong = 0;

  /// Two whole numbers divided: 9 of 10 is not below .9.
  double precision() const { return static_cast<double>(right) / static_cast<double>(right + wrong); }
};

/// A right pair that was retrieved.
struct RightPair {
  double score = 0;
  std::size_t group = 0;
};

/// Right pairs are known first, wrong ones are counted as they come, in memory that does not grow with them.
class PairCounter {
 public:
  PairCounter(const std::vector<RightPair>& right, std::size_t groups);

  /// Wrong pairs of queries of one group. Thread-safe, and in any order.
  void count_wrong(std::size_t group, std::span<const double> scores);
  /// The same of scores of one query against all rows, but for some, which are given by position.
  void count_wrong(std::size_t group, std::span<const float> scores, std::span<const std::uint32_t> left_out);

  /// One for each different score of right pairs, best first: of all groups, or of one.
  std::vector<PairPoint> points() const;
  std::vector<PairPoint> points(std::size_t group) const;

 private:
  std::size_t level(double score) const;
  void add(std::size_t group, std::span<const std::uint64_t> counts);
  std::vector<PairPoint> points(std::span<const std::uint64_t> right, std::span<const std::uint64_t> wrong) const;

  std::vector<double> levels_;        ///< different scores of right pairs, descending
  std::vector<std::uint32_t> first_;  ///< for each bin, and one beyond, the first level in it or in a later one
  double scale_ = 0;                  ///< bins for a difference of 1
  std::mutex mutex_;
  std::vector<std::vector<std::uint64_t>> right_, wrong_;  ///< [group][level], and one level below all
};

/// The area under the steps: sum of precision times what recall grows by, at each point (Douze et al., The 2021 Image
/// Similarity Dataset and Challenge, 2021, section 4). `relevant`: right pairs that there are, retrieved or not.
double average_precision(std::span<const PairPoint> points, std::uint64_t relevant);

/// The point of the highest recall whose precision is not below; nothing if there is none.
std::optional<PairPoint> lowest_with_precision(std::span<const PairPoint> points, double precision);

/// The highest precision at recall 0, 1/100, ... 1 or above; 0 where no recall is that high.
std::vector<double> interpolated_precision(std::span<const PairPoint> points, std::uint64_t relevant);

}  // namespace cbir
