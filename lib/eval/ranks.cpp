#include "ranks.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace cbir {
namespace {

constexpr std::size_t kMinBins = 64, kMaxBins = 32768, kBinsPerItem = 16;

/// Scores are binned this many at a time, in a loop without branches that compilers vectorise.
constexpr std::size_t kBlock = 256;

}  // namespace

std::size_t find_not_finite(std::span<const float> scores) {
  for (std::size_t start = 0; start < scores.size(); start += kBlock) {
    const auto block = scores.subspan(start, std::min(kBlock, scores.size() - start));
    unsigned bad = 0;
    for (const float score : block) bad |= (std::bit_cast<std::uint32_t>(score) & 0x7F800000U) == 0x7F800000U;
    if (bad)
      return start +
             static_cast<std::size_t>(std::ranges::find_if(block, [](float score) { return !std::isfinite(score); }) -
                                      block.begin());
  }
  return scores.size();
}

void RankCounter::sort_relevant(std::span<const float> scores, std::span<const std::uint32_t> relevant) {
  items_.clear();
  for (const std::uint32_t position : relevant) items_.push_back({scores[position], position});
  std::ranges::sort(items_, [](const Item& a, const Item& b) {
    return a.score > b.score || (a.score == b.score && a.position < b.position);
  });
}

/// Not a number (where the range has no width, or overflows) goes to bin 0 and so stays monotone.
inline float RankCounter::bin(float score) const {
  const float x = (top_ - score) * scale_;
  const float above_zero = x > 0 ? x : 0;
  return above_zero < last_bin_ ? above_zero : last_bin_;
}

void RankCounter::prepare_bins() {
  const std::size_t bins = std::clamp(std::bit_ceil(items_.size() * kBinsPerItem), kMinBins, kMaxBins);
  top_ = items_.front().score;
  last_bin_ = static_cast<float>(bins - 1);
  scale_ = last_bin_ / (top_ - items_.back().score);
  first_.assign(bins + 1, 0);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < items_.size(); ++i)
    for (const auto b = static_cast<std::size_t>(bin(items_[i].score)); next <= b; ++next) first_[next] = i;
  std::fill(first_.begin() + static_cast<std::ptrdiff_t>(next), first_.end(),
            static_cast<std::uint32_t>(items_.size()));
  items_.push_back({-std::numeric_limits<float>::infinity(), 0});
}

/// How many relevant items rank before this one.
inline std::size_t RankCounter::gap(float score, std::size_t position, std::size_t bin) const {
  const std::size_t low = first_[bin];
  const std::size_t next = low + (score < items_[low].score);
  if (score > items_[next].score) [[likely]]
    return next;
  const auto begin = items_.begin() + static_cast<std::ptrdiff_t>(low);
  const auto end = items_.begin() + static_cast<std::ptrdiff_t>(first_[bin + 1]);
  const auto ranks_before = [&](const Item& item) {
    return item.score > score || (item.score == score && item.position < position);
  };
  return static_cast<std::size_t>(std::partition_point(begin, end, ranks_before) - items_.begin());
}

void RankCounter::count(std::span<const float> scores) {
  std::array<std::int32_t, kBlock> bins;
  for (std::size_t start = 0; start < scores.size(); start += kBlock) {
    const std::size_t size = std::min(kBlock, scores.size() - start);
    for (std::size_t i = 0; i < size; ++i) bins[i] = static_cast<std::int32_t>(bin(scores[start + i]));
    for (std::size_t i = 0; i < size; ++i)
      ++in_gap_[gap(scores[start + i], start + i, static_cast<std::size_t>(bins[i]))];
  }
}

std::span<const std::uint64_t> RankCounter::ranks(std::span<const float> scores,
                                                  std::span<const std::uint32_t> relevant,
                                                  std::optional<std::size_t> left_out) {
  if (relevant.empty()) {
    items_.clear();
    return {};
  }
  sort_relevant(scores, relevant);
  prepare_bins();
  in_gap_.assign(items_.size(), 0);
  count(scores);
  if (left_out) {
    const float score = scores[*left_out];
    --in_gap_[gap(score, *left_out, static_cast<std::size_t>(bin(score)))];
  }
  std::partial_sum(in_gap_.begin(), in_gap_.end(), in_gap_.begin());
  return {in_gap_.data(), relevant.size()};
}

}  // namespace cbir
