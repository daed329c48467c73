#pragma once
/// IEEE 754 binary16 in integer arithmetic: the same bits on every CPU, and the compiler can vectorise it.

#include <bit>
#include <cstdint>

namespace cbir {

/// Exact.
inline float half_to_float(std::uint16_t half) {
  constexpr std::uint32_t kRebias = (127U - 15U) << 23;
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t magnitude = (half & 0x7fffU) << 13;
  const std::uint32_t exponent = half & 0x7c00U;
  // A subnormal m * 2^-24 is read as (1 + m/1024) * 2^-14, from which 2^-14 is then taken: exact, and no float
  // subnormal takes part, so that it does not matter whether the CPU flushes those to zero.
  const float subnormal =
      std::bit_cast<float>(magnitude + kRebias + (1U << 23)) - std::bit_cast<float>(kRebias + (1U << 23));
  const std::uint32_t special = 0x7f800000U | magnitude;
  const std::uint32_t bits = exponent == 0         ? std::bit_cast<std::uint32_t>(subnormal)
                             : exponent == 0x7c00U ? special
                                                   : magnitude + kRebias;
  return std::bit_cast<float>(bits | sign);
}

/// Rounds to nearest, ties to even; 65520 and more becomes infinity, NaN stays NaN.
inline std::uint16_t float_to_half(float value) {
  constexpr std::uint32_t kInfinity = 255U << 23, kTooLarge = (127U + 16U) << 23, kSmallestNormal = 113U << 23;
  constexpr std::uint32_t kMagic = ((127U - 15U) + (23U - 10U) + 1U) << 23;  // 0.5: its last bit is worth 2^-24
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  bits &= 0x7fffffffU;
  std::uint32_t half = 0;
  if (bits >= kTooLarge) {
    half = bits > kInfinity ? 0x7e00U : 0x7c00U;
  } else if (bits < kSmallestNormal) {  // the addition rounds
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) + std::bit_cast<float>(kMagic)) - kMagic;
  } else {
    const std::uint32_t odd = (bits >> 13) & 1U;
    half = (bits - ((127U - 15U) << 23) + 0xfffU + odd) >> 13;
  }
  return static_cast<std::uint16_t>(half | sign);
}

}  // namespace cbir
