#include "lib/index/live_rows.hpp"

#include <algorithm>
#include <bit>

namespace cbir {

LiveRows::LiveRows(std::size_t rows, std::span<const std::uint64_t> removed) : rows_(rows), count_(rows) {
  if (removed.empty()) return;
  words_.resize(removed.size());
  std::transform(removed.begin(), removed.end(), words_.begin(), [](std::uint64_t word) { return ~word; });
  if (rows % 64 != 0) words_.back() &= (std::uint64_t{1} << rows % 64) - 1;
  count_ = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (i % kBlockWords == 0) before_.push_back(count_);
    count_ += static_cast<std::size_t>(std::popcount(words_[i]));
  }
}

std::size_t LiveRows::rank(std::size_t row) const noexcept {
  if (every()) return row;
  const std::size_t word = row / 64;
  std::size_t n = before_[word / kBlockWords];
  for (std::size_t i = word / kBlockWords * kBlockWords; i < word; ++i)
    n += static_cast<std::size_t>(std::popcount(words_[i]));
  return n + static_cast<std::size_t>(std::popcount(words_[word] & ((std::uint64_t{1} << row % 64) - 1)));
}

std::size_t LiveRows::select(std::size_t n) const noexcept {
  if (every()) return n;
  const auto block = std::prev(std::upper_bound(before_.begin(), before_.end(), n));
  std::size_t left = n - *block, word = static_cast<std::size_t>(block - before_.begin()) * kBlockWords;
  for (;; ++word) {
    const auto here = static_cast<std::size_t>(std::popcount(words_[word]));
    if (left < here) break;
    left -= here;
  }
  std::uint64_t bits = words_[word];
  for (; left > 0; --left) bits &= bits - 1;  // without its lowest one
  return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
}

}  // namespace cbir
