#pragma once
/// Vectors as 8-bit numbers with a scale each, and how far that is from the vector: what bounds of scores are made of.

#include <cstdint>
#include <span>

namespace cbir {

struct Int8Row {
  float scale = 0;     ///< the vector is about scale * codes
  float residual = 0;  ///< at least the Euclidean norm of vector - scale * codes
};

inline constexpr int kLargestCode = 127;

/// codes[i] is vector[i] / scale, rounded to nearest even, from -largest_code to largest_code (at most 127); as many
/// codes as numbers. A vector of zeros has scale 0. The vector is finite, no longer than kMaxNorm.
Int8Row quantize_int8(std::span<const float> vector, std::span<std::int8_t> codes, int largest_code = kLargestCode);

}  // namespace cbir
