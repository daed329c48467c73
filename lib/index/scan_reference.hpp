#pragma once
/// The scan kernels in plain loops: what every instruction set with fused multiply-add must equal bit by bit, and the
/// code that runs where there is no vector unit to use.

#include <array>
#include <cmath>
#include <cstddef>

namespace cbir::reference {

/// The tree: sums 8 apart are added first, then 4, 2 and 1 apart.
inline float tree_sum(std::array<float, 16> sums) {
  for (std::size_t width = 8; width >= 1; width /= 2)
    for (std::size_t i = 0; i < width; ++i) sums[i] += sums[i + width];
  return sums[0];
}

/// `dim` is a multiple of 16.
inline float inner_product(const float* a, const float* b, std::size_t dim) {
  std::array<float, 16> sums{};
  for (std::size_t i = 0; i < dim; ++i) sums[i % 16] = std::fma(a[i], b[i], sums[i % 16]);
  return tree_sum(sums);
}

inline float negative_squared_distance(const float* a, const float* b, std::size_t dim) {
  std::array<float, 16> sums{};
  for (std::size_t i = 0; i < dim; ++i) {
    const float difference = a[i] - b[i];
    sums[i % 16] = std::fma(difference, difference, sums[i % 16]);
  }
  return 0.0F - tree_sum(sums);  // not -sum: a distance of zero scores +0
}

}  // namespace cbir::reference
