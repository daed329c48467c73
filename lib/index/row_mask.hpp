#pragma once
/// Which rows of a segment may be returned: those that are not removed, and that a filter lets pass.

#include <cstddef>
#include <cstdint>
#include <span>

namespace cbir {

/// Row i is bit i % 64 of word i / 64; no words: every row.
struct RowMask {
  std::span<const std::uint64_t> words;
  std::size_t passing = 0;  ///< rows that may be returned

  bool every() const noexcept { return words.empty(); }
  bool operator[](std::size_t row) const noexcept { return words.empty() || (words[row / 64] >> (row % 64) & 1) != 0; }
};

}  // namespace cbir
