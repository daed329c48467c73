#include "histogram.hpp"

#include <algorithm>
#include <cmath>

namespace cbir {
namespace {

std::int64_t floored(double score, int exponent) {
  return static_cast<std::int64_t>(std::floor(std::ldexp(score, -exponent)));
}

/// The least that will do. Never finer than 2^-20 of the largest score, where there is nothing but rounding.
int exponent_for(double low, double high) {
  constexpr int kLeast = -150;
  const double largest = std::max(std::abs(low), std::abs(high));
  int exponent = largest > 0 ? std::max(std::ilogb(largest) - 20, kLeast) : kLeast;
  while (floored(high, exponent) - floored(low, exponent) >= ScoreHistogram::kBins) ++exponent;
  return exponent;
}

}  // namespace

void ScoreHistogram::include(double low, double high) {
  if (!empty() && low >= low_ && high <= high_) return;
  const bool fresh = empty();
  low_ = fresh ? low : std::min(low, low_);
  high_ = fresh ? high : std::max(high, high_);
  const int exponent = exponent_for(low_, high_);
  const std::int64_t first = floored(low_, exponent);
  std::array<Bin, kBins> bins{};
  for (std::int64_t i = 0; i < kBins && !fresh; ++i) {
    const Bin& old = bins_[static_cast<std::size_t>(i)];
    if (old.all == 0) continue;
    Bin& joined = bins[static_cast<std::size_t>(((first_ + i) >> std::min(exponent - exponent_, 62)) - first)];
    joined.all += old.all;
    joined.relevant += old.relevant;
  }
  bins_ = bins;
  first_ = first;
  exponent_ = exponent;
  scale_ = std::ldexp(1.0, -exponent);
}

void ScoreHistogram::add(std::span<const float> scores) {
  if (scores.empty()) return;
  float low = scores[0], high = scores[0];
  for (const float score : scores) {  // without branches, for the vectoriser
    low = score < low ? score : low;
    high = score > high ? score : high;
  }
  include(low, high);
  for (const float score : scores) ++bins_[bin(score)].all;
}

void ScoreHistogram::add(ScoreHistogram other) {
  if (other.empty()) return;
  include(other.low_, other.high_);
  other.include(low_, high_);
  for (std::size_t i = 0; i < bins_.size(); ++i) {
    bins_[i].all += other.bins_[i].all;
    bins_[i].relevant += other.bins_[i].relevant;
  }
}

std::optional<ScoreDistribution> ScoreHistogram::distribution() const {
  if (empty()) return std::nullopt;
  const std::int64_t last = floored(high_, exponent_);
  ScoreDistribution all{.low = std::ldexp(static_cast<double>(first_), exponent_),
                        .high = std::ldexp(static_cast<double>(last + 1), exponent_),
                        .relevant = {},
                        .irrelevant = {}};
  for (std::int64_t i = first_; i <= last; ++i) {
    const Bin& each = bins_[static_cast<std::size_t>(i - first_)];
    all.relevant.push_back(each.relevant);
    all.irrelevant.push_back(each.all - each.relevant);
  }
  return all;
}

}  // namespace cbir
