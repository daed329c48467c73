#include "threshold.hpp"

#include <algorithm>
#include <bit>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace cbir {
namespace {

constexpr std::size_t kBins = 65536;
constexpr std::size_t kBinsAPass = 8;    ///< that are told apart together
constexpr std::size_t kSampleStep = 32;  ///< one of so many queries is asked for the guess
constexpr std::uint32_t kSign = 0x80000000U;

/// Numbers that ascend with the score; -0 is 0.
std::uint32_t key_of(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  return (bits & kSign) ? ~bits : bits | kSign;
}

float score_of(std::uint32_t key) { return std::bit_cast<float>((key & kSign) ? key ^ kSign : ~key); }

/// Pairs by bin.
struct Histogram {
  std::vector<std::uint64_t> all = std::vector<std::uint64_t>(kBins), right = std::vector<std::uint64_t>(kBins);

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < kBins; ++i) {
      all[i] += other.all[i];
      right[i] += other.right[i];
    }
  }
};

/// What a pass finds out.
struct Pass {
  Histogram upper;                                   ///< pairs by the upper halves of their keys
  std::unordered_map<std::size_t, Histogram> lower;  ///< of some of these bins, by the lower halves
};

/// `bins`: up to kBinsAPass that are told apart.
Pass count(const JudgedSource& source, std::size_t step, std::span<const std::size_t> bins) {
  constexpr std::uint8_t kNone = 255;
  std::vector<std::uint8_t> slot_of(kBins, kNone);
  for (std::size_t i = 0; i < bins.size(); ++i) slot_of[bins[i]] = static_cast<std::uint8_t>(i);
  Histogram upper;
  std::vector<Histogram> lower(bins.size());
  std::mutex mutex;
  source(step, [&](std::span<const JudgedRow> rows) {
    Histogram block_upper;
    std::vector<Histogram> block_lower(bins.size());
    const auto visit = [&](float score, auto change) {
      const std::uint32_t key = key_of(score);
      change(block_upper, key >> 16);
      if (const std::uint8_t slot = slot_of[key >> 16]; slot != kNone) change(block_lower[slot], key & 0xFFFF);
    };
    for (const JudgedRow& row : rows) {
      for (const float score : row.scores) visit(score, [](Histogram& to, std::uint32_t i) { ++to.all[i]; });
      for (const std::uint32_t at : row.left_out)
        visit(row.scores[at], [](Histogram& to, std::uint32_t i) { --to.all[i]; });
      for (const std::uint32_t at : row.relevant)
        visit(row.scores[at], [](Histogram& to, std::uint32_t i) { ++to.right[i]; });
    }
    const std::lock_guard lock(mutex);
    upper.add(block_upper);
    for (std::size_t i = 0; i < bins.size(); ++i) lower[i].add(block_lower[i]);
  });
  Pass pass{.upper = std::move(upper), .lower = {}};
  for (std::size_t i = 0; i < bins.size(); ++i) pass.lower.emplace(bins[i], std::move(lower[i]));
  return pass;
}

/// A bin that may hold the threshold, and the pairs above it.
struct Candidate {
  std::size_t bin = 0;
  PairPoint above;
};

/// Lowest first. `best` becomes the point of highest precision among the bins' lower ends.
std::vector<Candidate> candidates_of(const Histogram& bins, double precision, PairPoint& best) {
  std::vector<Candidate> candidates;
  PairPoint above;
  for (std::size_t bin = kBins; bin-- > 0;) {
    if (bins.right[bin] > 0) {
      const PairPoint at_best{0, above.right + bins.right[bin], above.wrong};  // all right pairs come first
      if (at_best.precision() >= precision) candidates.push_back({bin, above});
    }
    above.right += bins.right[bin];
    above.wrong += bins.all[bin] - bins.right[bin];
    above.threshold = score_of(static_cast<std::uint32_t>(bin << 16));
    if (bins.right[bin] > 0 && (best.right == 0 || above.precision() > best.precision())) best = above;
  }
  std::ranges::reverse(candidates);
  return candidates;
}

/// The points of a bin, best first.
std::vector<PairPoint> points_of(const Candidate& candidate, const Histogram& scores) {
  std::vector<PairPoint> points;
  PairPoint sum = candidate.above;
  for (std::size_t low = kBins; low-- > 0;) {
    sum.right += scores.right[low];
    sum.wrong += scores.all[low] - scores.right[low];
    sum.threshold = static_cast<double>(score_of(static_cast<std::uint32_t>(candidate.bin << 16 | low)));
    if (scores.right[low] > 0) points.push_back(sum);
  }
  return points;
}

/// By some of the queries, the bins about the one that will hold the threshold.
std::vector<std::size_t> guess_bins(const JudgedSource& source, std::size_t step, double precision) {
  const Histogram sample = count(source, step, {}).upper;
  PairPoint best;
  const std::vector<Candidate> candidates = candidates_of(sample, precision, best);
  if (candidates.empty()) return {};
  std::vector<std::size_t> bins;  // with right pairs, ascending
  for (std::size_t bin = 0; bin < kBins; ++bin)
    if (sample.right[bin] > 0) bins.push_back(bin);
  const auto lowest = static_cast<std::size_t>(std::ranges::find(bins, candidates.front().bin) - bins.begin());
  const std::size_t first = lowest - std::min(lowest, kBinsAPass / 2);
  bins.erase(bins.begin(), bins.begin() + static_cast<std::ptrdiff_t>(first));
  bins.resize(std::min(bins.size(), kBinsAPass));
  return bins;
}

}  // namespace

ThresholdSearch find_threshold(const JudgedSource& source, std::size_t queries, double precision) {
  std::vector<std::size_t> guess;
  if (queries >= kSampleStep * kSampleStep) guess = guess_bins(source, kSampleStep, precision);
  Pass known = count(source, 1, guess);
  ThresholdSearch found;
  for (const std::uint64_t right : known.upper.right) found.relevant += right;
  const std::vector<Candidate> candidates = candidates_of(known.upper, precision, found.best);
  for (std::size_t i = 0; i < candidates.size() && !found.lowest; ++i) {
    if (!known.lower.contains(candidates[i].bin)) {
      std::vector<std::size_t> bins;
      for (std::size_t next = i; next < candidates.size() && bins.size() < kBinsAPass; ++next)
        if (!known.lower.contains(candidates[next].bin)) bins.push_back(candidates[next].bin);
      known.lower.merge(count(source, 1, bins).lower);
    }
    const std::vector<PairPoint> points = points_of(candidates[i], known.lower.at(candidates[i].bin));
    found.lowest = lowest_with_precision(points, precision);
    for (const PairPoint& point : points)
      if (point.precision() > found.best.precision()) found.best = point;
    known.lower.erase(candidates[i].bin);
  }
  return found;
}

}  // namespace cbir
