#pragma once
/// How scores lie that come block by block and whose range nobody knows beforehand.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include <cbir/eval/scores.hpp>

namespace cbir {

/// Counts in bins [i w, (i + 1) w), where w is a power of two: the least for which all scores so far fit into kBins
/// bins. When one comes that does not, neighbouring bins are joined until it does. So the result is the same whatever
/// comes first, and whoever counts what.
class ScoreHistogram {
 public:
  static constexpr std::int64_t kBins = 256;

  /// Counts finite scores, of whatever kind.
  void add(std::span<const float> scores);
  /// Says that one of those that were added is a relevant item's.
  void mark_relevant(float score) { ++bins_[bin(score)].relevant; }
  void add(ScoreHistogram other);

  /// Nothing if nothing was added.
  std::optional<ScoreDistribution> distribution() const;

 private:
  struct Bin {
    std::uint64_t all = 0, relevant = 0;
  };

  bool empty() const { return low_ > high_; }
  /// Of those that came. std::floor would be a call where there is no SSE4.1.
  std::size_t bin(double score) const {
    const double scaled = score * scale_;
    const auto cut = static_cast<std::int32_t>(scaled);
    return static_cast<std::size_t>(cut - (scaled < cut) - first_);
  }
  void include(double low, double high);

  double low_ = 1, high_ = -1;  ///< of the scores that came
  int exponent_ = 0;            ///< w = 2^exponent_
  double scale_ = 1;            ///< 1 / w
  std::int64_t first_ = 0;      ///< the i of bins_[0]
  std::array<Bin, kBins> bins_{};
};

}  // namespace cbir
