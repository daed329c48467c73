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

/// A vector as the linking of graphs compares it; its codes follow in memory. It is about scale * codes.
struct Int8Point {
  float scale = 0;
  float half_norm = 0;   ///< half its squared length
  float lift = 0;        ///< one more element, as it is
  std::int32_t sum = 0;  ///< of the codes
};

/// Half the squared distance of two points of as many codes as *count, a std::size_t, says; as above. The last bits may
/// differ between instruction sets.
using Int8Distance = float (*)(const void* a, const void* b, const void* count);

/// The fastest one that this processor has.
Int8Distance int8_distance();

/// The instruction set in use ("AVX512_VNNI", "AVX2", ...).
const char* int8_target();

namespace reference {
inline std::int32_t int8_product(const std::int8_t* a, const std::int8_t* b, std::size_t count) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::int32_t{a[i]} * std::int32_t{b[i]};
  return sum;
}

inline float int8_distance(const Int8Point& a, const Int8Point& b, std::int32_t product) {
  const float lift = a.lift - b.lift;
  return a.half_norm + b.half_norm - a.scale * b.scale * static_cast<float>(product) + lift * lift / 2;
}
}  // namespace reference

}  // namespace cbir
