#pragma once
/// The best candidates of a search by estimated score, before any is scored exactly.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace cbir {

/// A float as an integer of the same order, and back: an involution.
inline std::int32_t ordered(std::int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }
inline std::int32_t to_ordered(float x) { return ordered(std::bit_cast<std::int32_t>(x)); }
inline float from_ordered(std::int32_t x) { return std::bit_cast<float>(ordered(x)); }

/// Keeps the `keep` best of a stream of scored positions: higher scores first, of equal ones the lower position; so
/// what is kept does not depend on the order of the stream. Room for as many again and a block more makes an addition
/// one store; when it is used up, the best are selected and the threshold rises.
class Reservoir {
 public:
  static constexpr std::size_t kBlock = 32;  ///< additions that make_room() makes room for

  /// Empties it; `keep` is at least 1.
  void reset(std::size_t keep) {
    keep_ = keep;
    size_ = 0;
    threshold_ = std::numeric_limits<std::int32_t>::min();
    // Selecting costs about as much for few as for some, so few are given more room.
    const std::size_t room = keep + std::max<std::size_t>(keep, 64) + kBlock;
    if (entries_.size() < room) entries_.resize(room);
    limit_ = room - kBlock;
  }

  void make_room() {
    if (size_ > limit_) select();
  }

  /// After make_room(), for a score of at least threshold().
  void add(std::int32_t score, std::uint32_t position) { entries_[size_++] = entry(score, position); }

  /// Lower scores cannot come in any more.
  std::int32_t threshold() const noexcept { return threshold_; }

  /// Leaves the best alone in it, in no order.
  void select() {
    if (size_ < keep_) return;
    const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(keep_ - 1);
    std::nth_element(entries_.begin(), last, entries_.begin() + static_cast<std::ptrdiff_t>(size_), std::greater<>());
    size_ = keep_;
    threshold_ = score(*last);
  }

  std::span<std::uint64_t> entries() noexcept { return {entries_.data(), size_}; }
  static std::uint64_t entry(std::int32_t score, std::uint32_t position) {
    return (std::uint64_t{static_cast<std::uint32_t>(score) ^ kSign} << 32) | ~position;
  }
  static std::int32_t score(std::uint64_t entry) { return static_cast<std::int32_t>((entry >> 32) ^ kSign); }
  static std::uint32_t position(std::uint64_t entry) { return ~static_cast<std::uint32_t>(entry); }

 private:
  static constexpr std::uint32_t kSign = 1U << 31;
  std::size_t keep_ = 1, size_ = 0, limit_ = 0;
  std::int32_t threshold_ = 0;
  std::vector<std::uint64_t> entries_;
};

}  // namespace cbir
