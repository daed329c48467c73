#pragma once
/// Which rows of a segment are left, and how they are counted: a removed row keeps its place in the segment, but has no
/// position in the index any more.

#include <cstdint>
#include <span>
#include <vector>

#include "lib/index/row_mask.hpp"

namespace cbir {

class LiveRows {
 public:
  /// Bit i % 64 of removed[i / 64] is set if row i is removed; no words: none is. Takes memory only if one is.
  LiveRows(std::size_t rows, std::span<const std::uint64_t> removed);

  std::size_t rows() const noexcept { return rows_; }    ///< removed ones, too
  std::size_t count() const noexcept { return count_; }  ///< that are left
  bool every() const noexcept { return words_.empty(); }
  bool operator[](std::size_t row) const noexcept { return mask()[row]; }
  RowMask mask() const noexcept { return {.words = words_, .passing = count_}; }

  /// How many rows before this one are left.
  std::size_t rank(std::size_t row) const noexcept;
  /// The row before which so many are left; `n` below count().
  std::size_t select(std::size_t n) const noexcept;

 private:
  static constexpr std::size_t kBlockWords = 8;  // counted together

  std::size_t rows_, count_;
  std::vector<std::uint64_t> words_;   // a bit a row that is left
  std::vector<std::uint64_t> before_;  // rows that are left before each block
};

}  // namespace cbir
