#include "measures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/base/error.hpp>

namespace cbir {
namespace {

double discount(std::uint64_t rank) { return 1 / std::log2(static_cast<double>(rank) + 1); }

/// How many of them are at most `rank`.
std::size_t within(std::span<const std::uint64_t> ranks, std::uint64_t rank) {
  return static_cast<std::size_t>(std::ranges::upper_bound(ranks, rank) - ranks.begin());
}

}  // namespace

RankMeasures::RankMeasures(std::vector<std::size_t> cutoffs, std::uint64_t most_relevant)
    : cutoffs_(std::move(cutoffs)), ideal_(1) {
  for (auto cutoff = cutoffs_.begin(); cutoff != cutoffs_.end(); ++cutoff) {
    if (*cutoff == 0) throw UsageError("a cut-off of 0 makes no sense; give numbers from 1");
    if (std::find(cutoffs_.begin(), cutoff, *cutoff) != cutoff)
      throw UsageError(fmt::format("the cut-off {} stands twice; give each once", *cutoff));
  }
  const std::uint64_t deepest = cutoffs_.empty() ? 0 : *std::ranges::max_element(cutoffs_);
  for (std::uint64_t rank = 1; rank <= std::min(deepest, most_relevant); ++rank)
    ideal_.push_back(ideal_.back() + discount(rank));
}

std::vector<std::string> RankMeasures::names() const {
  std::vector<std::string> names{"map", "mrr", "r_precision", "map@r"};
  for (const char* name : {"p", "r", "hit", "ndcg"})
    for (const std::size_t cutoff : cutoffs_) names.push_back(fmt::format("{}@{}", name, cutoff));
  return names;
}

void RankMeasures::measure(std::span<const std::uint64_t> ranks, std::uint64_t relevant, std::span<double> out) const {
  const auto all = static_cast<double>(relevant);
  const std::size_t within_r = within(ranks, relevant);
  double precisions = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (i == within_r) out[3] = precisions / all;
    precisions += static_cast<double>(i + 1) / static_cast<double>(ranks[i]);
  }
  if (within_r == ranks.size()) out[3] = precisions / all;
  out[0] = precisions / all;
  out[1] = ranks.empty() ? 0 : 1 / static_cast<double>(ranks.front());
  out[2] = static_cast<double>(within_r) / all;
  const std::size_t count = cutoffs_.size();
  for (std::size_t c = 0; c < count; ++c) {
    const auto found = static_cast<double>(within(ranks, cutoffs_[c]));
    out[4 + c] = found / static_cast<double>(cutoffs_[c]);
    out[4 + count + c] = found / all;
    out[4 + 2 * count + c] = found > 0 ? 1 : 0;
    out[4 + 3 * count + c] = ndcg(ranks, relevant, cutoffs_[c]);
  }
}

double RankMeasures::ndcg(std::span<const std::uint64_t> ranks, std::uint64_t relevant, std::size_t cutoff) const {
  double gain = 0;
  for (const std::uint64_t rank : ranks.first(within(ranks, cutoff))) gain += discount(rank);
  return gain / ideal_[static_cast<std::size_t>(std::min<std::uint64_t>(relevant, cutoff))];
}

void PrecisionCurve::add(std::span<const std::uint64_t> ranks, std::uint64_t relevant) {
  constexpr double kUnits = 4294967296.0;
  best_.assign(ranks.size() + 1, 0);  // [i]: the highest precision where more than i relevant items have been found
  for (std::size_t i = ranks.size(); i-- > 0;)
    best_[i] = std::max(best_[i + 1], static_cast<double>(i + 1) / static_cast<double>(ranks[i]));
  for (std::uint64_t level = 0; level < kLevels; ++level) {
    const std::uint64_t needed = std::max<std::uint64_t>(1, (level * relevant + kLevels - 2) / (kLevels - 1));
    if (needed > ranks.size()) break;
    sums_[level] += static_cast<std::uint64_t>(std::llround(best_[needed - 1] * kUnits));
  }
  ++queries_;
}

void PrecisionCurve::add(const PrecisionCurve& other) {
  for (std::size_t level = 0; level < kLevels; ++level) sums_[level] += other.sums_[level];
  queries_ += other.queries_;
}

std::vector<double> PrecisionCurve::mean() const {
  std::vector<double> means;
  if (queries_ == 0) return means;
  for (const std::uint64_t sum : sums_)
    means.push_back(std::ldexp(static_cast<double>(sum), -32) / static_cast<double>(queries_));
  return means;
}

}  // namespace cbir
