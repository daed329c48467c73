#pragma once
/// Products of vectors of 8-bit codes, with SIMD chosen at run time: exact integers, so the same on every processor.

#include <cstddef>
#include <cstdint>
#include <span>

namespace cbir {

/// Codes are padded with zeros to a multiple of this many.
inline constexpr std::size_t kCodePadding = 64;
/// With more codes than this a product could overflow 32 bits.
inline constexpr std::size_t kMaxCodes = std::size_t{1} << 16;

inline std::size_t padded_codes(std::size_t dim) { return (dim + kCodePadding - 1) / kCodePadding * kCodePadding; }

/// Codes that lie in memory `stride` bytes apart: row i begins at data + i * stride.
struct CodeRows {
  const std::int8_t* data = nullptr;
  std::size_t stride = 0;
};

/// products[i] = sum of query[j] * code j of row which[i]. Codes are from -127 to 127, as many as the query has: a
/// multiple of kCodePadding, at most kMaxCodes.
void int8_products(std::span<const std::int8_t> query, CodeRows rows, std::span<const std::uint32_t> which,
                   std::int32_t* products);

/// The sum of a[i] * b[i], i below count; as above.
using Int8Product = std::int32_t (*)(const std::int8_t* a, const std::int8_t* b, std::size_t count);

/// The fastest one that this processor has.
Int8Product int8_product();

/// The instruction set in use ("AVX512_VNNI", "AVX2", ...).
const char* int8_target();

namespace reference {
inline std::int32_t int8_product(const std::int8_t* a, const std::int8_t* b, std::size_t count) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::int32_t{a[i]} * std::int32_t{b[i]};
  return sum;
}
}  // namespace reference

}  // namespace cbir
