#include "code_tables.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <cbir/base/parallel.hpp>

namespace cbir {
namespace {

constexpr std::size_t kTables = 8;             // where margins say which bits are uncertain
constexpr std::size_t kUncertain = 3;          // bits of each table's that may differ
constexpr std::size_t kLeast = 8, kMost = 20;  // bits of a table
constexpr std::uint32_t kMostAlike = 24;       // codes of one value that are looked at: plain parts are all alike

/// As many bits as leave about one code a value; those that there are come in crowds all the same.
std::size_t bits_for(std::size_t codes) {
  const std::size_t bits = static_cast<std::size_t>(std::bit_width(codes));
  return std::clamp(bits, kLeast, kMost);
}

std::uint32_t bits_of(const DescriptorCode& code, std::size_t first, std::size_t count) {
  const std::size_t word = first / 64, shift = first % 64;
  std::uint64_t bits = code[word] >> shift;
  if (shift + count > 64) bits |= code[word + 1] << (64 - shift);
  return static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << count) - 1));
}

/// Masks of the bits with the smallest margins.
std::array<std::uint32_t, kUncertain> uncertain_bits(std::span<const float> margins) {
  std::array<std::size_t, kUncertain> least = {0, 1, 2};
  const auto less = [&](std::size_t a, std::size_t b) { return margins[a] < margins[b]; };
  std::ranges::sort(least, less);
  for (std::size_t bit = kUncertain; bit < margins.size(); ++bit) {
    if (!less(bit, least.back())) continue;
    least.back() = bit;
    std::ranges::sort(least, less);
  }
  std::array<std::uint32_t, kUncertain> masks{};
  for (std::size_t i = 0; i < kUncertain; ++i) masks[i] = std::uint32_t{1} << least[i];
  return masks;
}

}  // namespace

CodeTables::CodeTables(std::span<const DescriptorCode> codes, bool certain) : bits_(bits_for(codes.size())) {
  tables_.resize(certain ? kCodeBits / bits_ : kTables);
  parallel_blocks(tables_.size(), 1, [&](std::size_t t, std::size_t) {
    Table& table = tables_[t];
    table.starts.resize((std::size_t{1} << bits_) + 1);
    table.numbers.resize(codes.size());
    for (const DescriptorCode& code : codes) ++table.starts[bits_of(code, t * bits_, bits_) + 1];
    for (std::size_t value = 1; value < table.starts.size(); ++value) table.starts[value] += table.starts[value - 1];
    std::vector<std::uint32_t> next(table.starts.begin(), table.starts.end() - 1);
    for (std::size_t i = 0; i < codes.size(); ++i)
      table.numbers[next[bits_of(codes[i], t * bits_, bits_)]++] = static_cast<std::uint32_t>(i);
  });
}

void CodeTables::find(const DescriptorCode& code, std::span<const float> margins,
                      std::vector<std::uint32_t>& numbers) const {
  numbers.clear();
  for (std::size_t t = 0; t < tables_.size(); ++t) {
    const Table& table = tables_[t];
    const std::uint32_t value = bits_of(code, t * bits_, bits_);
    const bool probes = !margins.empty();
    const auto masks =
        probes ? uncertain_bits(margins.subspan(t * bits_, bits_)) : std::array<std::uint32_t, kUncertain>{};
    for (unsigned which = 0; which < (probes ? 1U << kUncertain : 1U); ++which) {
      std::uint32_t other = value;
      for (std::size_t i = 0; i < kUncertain; ++i)
        if (which >> i & 1U) other ^= masks[i];
      const std::uint32_t begin = table.starts[other], end = std::min(table.starts[other + 1], begin + kMostAlike);
      numbers.insert(numbers.end(), table.numbers.begin() + begin, table.numbers.begin() + end);
    }
  }
  std::ranges::sort(numbers);
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace cbir
