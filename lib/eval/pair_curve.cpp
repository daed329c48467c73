#include "pair_curve.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace cbir {
namespace {

constexpr std::size_t kMinBins = 256, kMaxBins = 65536, kBinsPerLevel = 4;

}  // namespace

PairCounter::PairCounter(const std::vector<RightPair>& right, std::size_t groups) {
  for (const RightPair& pair : right) levels_.push_back(pair.score);
  std::ranges::sort(levels_, std::greater<>());
  levels_.erase(std::unique(levels_.begin(), levels_.end()), levels_.end());
  right_.assign(groups, std::vector<std::uint64_t>(levels_.size() + 1));
  wrong_ = right_;
  if (levels_.empty()) return;

  const std::size_t bins = std::clamp(std::bit_ceil(levels_.size() * kBinsPerLevel), kMinBins, kMaxBins);
  const double range = levels_.front() - levels_.back();
  scale_ = range > 0 ? static_cast<double>(bins - 1) / range : 0;
  first_.assign(bins + 1, static_cast<std::uint32_t>(levels_.size()));
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < levels_.size(); ++i)
    for (const auto bin = static_cast<std::size_t>((levels_.front() - levels_[i]) * scale_); next <= bin; ++next)
      first_[next] = i;
  for (const RightPair& pair : right) ++right_[pair.group][level(pair.score)];
}

/// The first level that is not above the score. Binning is monotone, so rounding costs time at most: no level of an
/// earlier bin is at or below the score, and all of later ones are.
std::size_t PairCounter::level(double score) const {
  if (!(score >= levels_.back())) return levels_.size();
  if (score >= levels_.front()) return 0;
  const auto bin = static_cast<std::size_t>((levels_.front() - score) * scale_);
  const auto begin = levels_.begin() + first_[bin], end = levels_.begin() + first_[bin + 1];
  const auto found = std::partition_point(begin, end, [&](double level) { return level > score; });
  return static_cast<std::size_t>(found - levels_.begin());
}

void PairCounter::count_wrong(std::size_t group, std::span<const double> scores) {
  if (levels_.empty()) return;
  const std::lock_guard lock(mutex_);  // rankings are short beside the number of levels
  for (const double score : scores) ++wrong_[group][level(score)];
}

void PairCounter::count_wrong(std::size_t group, std::span<const float> scores,
                              std::span<const std::uint32_t> left_out) {
  if (levels_.empty()) return;
  std::vector<std::uint64_t> counts(levels_.size() + 1);
  for (const float score : scores) ++counts[level(static_cast<double>(score))];
  for (const std::uint32_t position : left_out) --counts[level(static_cast<double>(scores[position]))];
  add(group, counts);
}

void PairCounter::add(std::size_t group, std::span<const std::uint64_t> counts) {
  const std::lock_guard lock(mutex_);
  std::ranges::transform(counts, wrong_[group], wrong_[group].begin(), std::plus<>());
}

std::vector<PairPoint> PairCounter::points() const {
  std::vector<std::uint64_t> right(levels_.size()), wrong(levels_.size());
  for (std::size_t group = 0; group < right_.size(); ++group)
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      right[i] += right_[group][i];
      wrong[i] += wrong_[group][i];
    }
  return points(right, wrong);
}

std::vector<PairPoint> PairCounter::points(std::size_t group) const { return points(right_[group], wrong_[group]); }

std::vector<PairPoint> PairCounter::points(std::span<const std::uint64_t> right,
                                           std::span<const std::uint64_t> wrong) const {
  std::vector<PairPoint> points;
  PairPoint sum;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    sum.right += right[i];
    sum.wrong += wrong[i];
    sum.threshold = levels_[i];
    if (right[i] > 0) points.push_back(sum);
  }
  return points;
}

double average_precision(std::span<const PairPoint> points, std::uint64_t relevant) {
  double sum = 0;
  std::uint64_t before = 0;
  for (const PairPoint& point : points) {
    sum += point.precision() * static_cast<double>(point.right - before);
    before = point.right;
  }
  return sum / static_cast<double>(relevant);
}

std::optional<PairPoint> lowest_with_precision(std::span<const PairPoint> points, double precision) {
  for (std::size_t i = points.size(); i-- > 0;)
    if (points[i].precision() >= precision) return points[i];
  return std::nullopt;
}

std::vector<double> interpolated_precision(std::span<const PairPoint> points, std::uint64_t relevant) {
  constexpr std::size_t kSteps = 100;
  std::vector<double> at(kSteps + 1);
  double best = 0;
  std::size_t i = points.size();
  for (std::size_t step = kSteps + 1; step-- > 0;) {
    // Recall of at least step / kSteps, in whole numbers.
    for (; i > 0 && points[i - 1].right * kSteps >= step * relevant; --i)
      best = std::max(best, points[i - 1].precision());
    at[step] = best;
  }
  return at;
}

}  // namespace cbir
