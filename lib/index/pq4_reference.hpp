#pragma once
/// The kernels of pq4_kernels.hpp in plain loops: what every instruction set must equal, and the code that runs where
/// there is no vector unit to use.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/index/pq4_kernels.hpp"

namespace cbir::reference {

inline std::uint16_t pq4_factor(const std::uint8_t* block, std::size_t row) {
  std::uint16_t factor = 0;
  std::memcpy(&factor, block + row * sizeof factor, sizeof factor);
  return factor;
}

inline std::uint8_t pq4_code(const std::uint8_t* block, std::size_t sub_quantizer, std::size_t row) {
  const std::uint8_t byte = block[pq4::kLine + sub_quantizer * 16 + row % 16];
  return row < 16 ? byte & 15 : byte >> 4;
}

/// Without the bias.
inline std::int32_t pq4_score(const std::uint8_t* block, std::size_t lines, std::size_t row, const Pq4Scan& scan) {
  std::int32_t sum = (std::int32_t{pq4_factor(block, row)} * scan.factor_scale + (1 << 14)) >> 15;
  for (std::size_t s = 0; s < lines * 4; ++s) sum += scan.tables[s * pq4::kCentroids + pq4_code(block, s, row)];
  return sum;
}

inline void pq4_scan(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end,
                     std::span<const Pq4Scan> scans, const Pq4Filter& filter) {
  for (const Pq4Scan& scan : scans) {
    for (std::size_t p = begin; p < end; ++p) {
      const std::uint8_t* block = blocks + p / pq4::kBlockRows * pq4::kLine * (1 + lines);
      const std::int32_t score = scan.bias + pq4_score(block, lines, p % pq4::kBlockRows, scan);
      scan.out->make_room();
      if (score >= scan.out->threshold() && filter.passes(p))
        scan.out->add(score, filter.base + static_cast<std::uint32_t>(p));
    }
  }
}

inline void pq4_inner_products(const float* vector, const float* codebooks, std::size_t sub_quantizers,
                               std::size_t dims, float* tables) {
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    for (std::size_t c = 0; c < pq4::kCentroids; ++c) {
      float sum = 0;
      for (std::size_t d = 0; d < dims; ++d)
        sum = std::fma(vector[s * dims + d], codebooks[(s * dims + d) * pq4::kCentroids + c], sum);
      tables[s * pq4::kCentroids + c] = sum;
    }
  }
}

inline void pq4_ranges(const float* tables, std::size_t sub_quantizers, float* smallest, float* largest) {
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    const float* table = tables + s * pq4::kCentroids;
    smallest[s] = *std::min_element(table, table + pq4::kCentroids);
    largest[s] = *std::max_element(table, table + pq4::kCentroids);
  }
}

inline void pq4_quantize(const float* tables, std::size_t sub_quantizers, const float* smallest, float scale,
                         std::uint8_t* bytes) {
  for (std::size_t i = 0; i < sub_quantizers * pq4::kCentroids; ++i) {
    const float value = (tables[i] - smallest[i / pq4::kCentroids]) * scale;
    bytes[i] = static_cast<std::uint8_t>(value > 0 ? std::nearbyint(std::min(value, 255.0F)) : 0.0F);  // NaN is 0
  }
}

inline void pq4_best(const float* tables, const float* offsets, std::size_t sub_quantizers, std::uint8_t* codes) {
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < pq4::kCentroids; ++c) {
      const std::size_t i = s * pq4::kCentroids;
      if (tables[i + c] - offsets[i + c] > tables[i + best] - offsets[i + best]) best = c;
    }
    codes[s] = static_cast<std::uint8_t>(best);
  }
}

inline void best_difference(const float* values, const float* offsets, std::size_t count, std::size_t first,
                            Best& best) {
  for (std::size_t i = 0; i < count; ++i)
    if (const float value = values[i] - offsets[i]; value > best.value)
      best = {value, static_cast<std::uint32_t>(first + i)};
}

}  // namespace cbir::reference
