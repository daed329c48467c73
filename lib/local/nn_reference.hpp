#pragma once
/// The scalar twins of the kernels in nn_kernels.hpp.

#include <algorithm>
#include <bit>
#include <cmath>

#include "nn_kernels.hpp"

namespace cbir::reference {

inline float square(std::span<const float> row) {
  float sum = 0;
  for (const float x : row) sum = std::fma(x, x, sum);
  return sum;
}

inline float l2(std::span<const float> a, std::span<const float> b) {
  float product = 0;
  for (std::size_t i = 0; i < a.size(); ++i) product = std::fma(a[i], b[i], product);
  return std::max(0.0F, std::fma(-2.0F, product, square(a) + square(b)));
}

inline float hamming(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  int sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::popcount(static_cast<unsigned>(a[i] ^ b[i]));
  return static_cast<float>(sum);
}

template <typename T, typename Distance>
NearestRows nearest(MatrixView<const T> a, MatrixView<const T> b, Distance distance) {
  NearestRows out;
  out.of_a.resize(a.rows);
  out.nearest_of_b.assign(b.rows, kNoDistance);
  out.row_of_b.assign(b.rows, 0);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < b.rows; ++j) {
      const float d = distance(a.row(i), b.row(j));
      NearestRows::OfA& of_a = out.of_a[i];
      if (d < of_a.nearest) of_a = {d, of_a.nearest, static_cast<std::uint32_t>(j)};
      else if (d < of_a.second) of_a.second = d;
      if (d < out.nearest_of_b[j]) {
        out.nearest_of_b[j] = d;
        out.row_of_b[j] = static_cast<std::int32_t>(i);
      }
    }
  }
  return out;
}

}  // namespace cbir::reference
