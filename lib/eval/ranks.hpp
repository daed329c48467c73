#pragma once
/// Ranks of the relevant items of one query, without sorting the database.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cbir {

/// Finds the ranks of some items in the order (score descending, position ascending) of all.
///
/// The relevant items are sorted. Every item of the database then falls between two of them, and counting how many do
/// gives all ranks. To find the gap quickly, the range of the relevant scores is cut into bins of equal width; a bin
/// says which relevant item comes first in it. Most bins hold none or one, so that one comparison settles the rest.
/// Binning is monotone in the score, so rounding costs speed at most, never exactness.
///
/// An object keeps its memory from one query to the next; one object a thread.
class RankCounter {
 public:
  /// `relevant`: positions in `scores`, ascending, each once. `left_out`: a position outside `relevant` that is no part
  /// of the database. All scores must be finite. Returns the ranks, from 1, ascending; valid until the next call.
  std::span<const std::uint64_t> ranks(std::span<const float> scores, std::span<const std::uint32_t> relevant,
                                       std::optional<std::size_t> left_out);

  struct Item {
    float score;
    std::uint32_t position;
  };

  /// The relevant items that ranks() was last given, in the order of the ranks.
  std::span<const Item> relevant() const { return {items_.data(), items_.empty() ? 0 : items_.size() - 1}; }

 private:
  void sort_relevant(std::span<const float> scores, std::span<const std::uint32_t> relevant);
  void prepare_bins();
  float bin(float score) const;
  std::size_t gap(float score, std::size_t position, std::size_t bin) const;
  void count(std::span<const float> scores);

  std::vector<Item> items_;           ///< the relevant, best first, then a sentinel below every score
  std::vector<std::uint32_t> first_;  ///< for each bin, and one beyond: the first of items_ in it or in a later one
  std::vector<std::uint64_t>
      in_gap_;  ///< items of the database between items_[i - 1] and items_[i], the latter included
  float top_ = 0, scale_ = 0, last_bin_ = 0;
};

/// The first score that is NaN or infinite, or scores.size().
std::size_t find_not_finite(std::span<const float> scores);

}  // namespace cbir
