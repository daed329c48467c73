#pragma once
/// Nearest neighbours between the descriptors of two pictures, both ways at once, with SIMD chosen at run time.
///
/// Distances are squared L2 of floats, |a|^2 + |b|^2 - 2ab with each product summed in the order of the dimensions by
/// fused multiply-add where the processor has it, so that they depend neither on the instruction set nor on how rows
/// are blocked; or Hamming distances of bits. Of equal distances the first row is the nearest.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

inline constexpr float kNoDistance = std::numeric_limits<float>::infinity();

struct NearestRows {
  struct OfA {
    float nearest = kNoDistance;  ///< of all rows of b
    float second = kNoDistance;   ///< of all but the nearest
    std::uint32_t row = 0;        ///< the nearest, where `nearest` is finite
  };
  std::vector<OfA> of_a;

  std::vector<float> nearest_of_b;  ///< of all rows of a
  std::vector<std::int32_t> row_of_b;
};

/// Rows of both have the same length. A row with a number that is not finite is nearest to nothing.
NearestRows nearest_l2(MatrixView<const float> a, MatrixView<const float> b);

NearestRows nearest_hamming(MatrixView<const std::uint8_t> a, MatrixView<const std::uint8_t> b);

}  // namespace cbir
