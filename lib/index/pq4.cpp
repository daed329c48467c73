#include "lib/index/pq4.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <cbir/base/parallel.hpp>

#include "lib/index/kmeans.hpp"

namespace cbir {
namespace {

constexpr double kLargestBias = 1 << 29;
constexpr double kLargestScale = 1e37;  // so that a product with a difference of two numbers is finite or clamped

/// x within the bounds; the lower one for NaN.
double within(double x, double low, double high) { return x > low ? std::min(x, high) : low; }

/// Codes of all vectors, row by row.
void encode_all(const Pq4Encoder& encoder, const Pq4Shape& shape, MatrixView<const float> vectors,
                std::span<std::uint8_t> codes) {
  parallel_blocks(vectors.rows, 256, [&](std::size_t begin, std::size_t end) {
    std::vector<float> tables(shape.sub_quantizers * pq4::kCentroids);
    for (std::size_t r = begin; r < end; ++r)
      encoder.encode(vectors.row(r).data(), tables.data(), codes.data() + r * shape.sub_quantizers);
  });
}

/// Each centroid becomes the mean of its parts; one without any stays.
void update(const Pq4Shape& shape, MatrixView<const float> vectors, std::span<const std::uint8_t> codes,
            std::span<float> codebooks) {
  constexpr std::size_t kTogether = 16;  // parts whose sums stay in the cache
  parallel_blocks(shape.sub_quantizers, kTogether, [&](std::size_t begin, std::size_t end) {
    const std::size_t dims = shape.dims;
    std::vector<double> sums((end - begin) * pq4::kCentroids * dims);
    std::vector<std::size_t> counts((end - begin) * pq4::kCentroids);
    for (std::size_t r = 0; r < vectors.rows; ++r) {
      for (std::size_t s = begin; s < end; ++s) {
        const std::size_t at = (s - begin) * pq4::kCentroids + codes[r * shape.sub_quantizers + s];
        ++counts[at];
        for (std::size_t d = 0; d < dims; ++d) sums[at * dims + d] += static_cast<double>(vectors.row(r)[s * dims + d]);
      }
    }
    for (std::size_t at = 0; at < counts.size(); ++at) {
      if (counts[at] == 0) continue;
      const std::size_t s = begin + at / pq4::kCentroids, c = at % pq4::kCentroids;
      for (std::size_t d = 0; d < dims; ++d)
        codebooks[(s * dims + d) * pq4::kCentroids + c] =
            static_cast<float>(sums[at * dims + d] / static_cast<double>(counts[at]));
    }
  });
}

}  // namespace

Pq4Shape pq4_shape(std::size_t padded_dim, std::size_t dims) {
  // Two dimensions a part order the rows well enough that few need an exact score; in long vectors, whose errors
  // average out and whose exact scores cost more memory traffic than their codes, four.
  if (dims == 0) dims = padded_dim <= 512 ? 2 : 4;
  return {.dims = dims, .sub_quantizers = padded_dim / dims};
}

std::vector<float> train_pq4(const Pq4Shape& shape, MatrixView<const float> vectors, std::size_t rounds,
                             std::uint64_t seed) {
  std::vector<float> codebooks(shape.codebook_floats());
  const std::vector<std::uint32_t> first = sample_rows(vectors.rows, pq4::kCentroids, seed);
  for (std::size_t i = 0; i < shape.sub_quantizers * shape.dims; ++i)
    for (std::size_t c = 0; c < pq4::kCentroids; ++c)
      codebooks[i * pq4::kCentroids + c] = vectors.row(first[c % first.size()])[i];
  std::vector<std::uint8_t> codes(vectors.rows * shape.sub_quantizers);
  for (std::size_t round = 0; round < rounds; ++round) {
    encode_all(Pq4Encoder(shape, codebooks), shape, vectors, codes);
    update(shape, vectors, codes, codebooks);
  }
  return codebooks;
}

Pq4Encoder::Pq4Encoder(const Pq4Shape& shape, std::span<const float> codebooks)
    : shape_(shape), codebooks_(codebooks), half_norms_(shape.sub_quantizers * pq4::kCentroids) {
  for (std::size_t i = 0; i < codebooks.size(); ++i) {
    const std::size_t s = i / (shape.dims * pq4::kCentroids), c = i % pq4::kCentroids;
    half_norms_[s * pq4::kCentroids + c] += codebooks[i] * codebooks[i] / 2;
  }
}

/// The nearest centroid maximises <x, c> - |c|^2 / 2.
void Pq4Encoder::encode(const float* vector, float* tables, std::uint8_t* codes) const {
  pq4_inner_products(vector, codebooks_.data(), shape_.sub_quantizers, shape_.dims, tables);
  pq4_best(tables, half_norms_.data(), shape_.sub_quantizers, codes);
}

void pack_row(const Pq4Shape& shape, std::span<const std::uint8_t> codes, std::uint16_t factor, std::size_t row,
              std::uint8_t* block) {
  std::memcpy(block + row * sizeof factor, &factor, sizeof factor);
  std::uint8_t* bytes = block + pq4::kLine + row % 16;
  for (std::size_t s = 0; s < shape.sub_quantizers; ++s)
    bytes[s * 16] = static_cast<std::uint8_t>(bytes[s * 16] | (row < 16 ? codes[s] : codes[s] << 4));
}

std::int32_t Pq4Tables::bias(double below) const {
  return -static_cast<std::int32_t>(within(below * scale, 0, kLargestBias));
}

void make_tables(const Pq4Shape& shape, std::span<const float> codebooks, const float* query, double factor_range,
                 double bias_range, Pq4Scratch& scratch, Pq4Tables& out) {
  const std::size_t count = shape.sub_quantizers;
  scratch.tables.resize(count * pq4::kCentroids);
  scratch.smallest.resize(count);
  scratch.largest.resize(count);
  pq4_inner_products(query, codebooks.data(), count, shape.dims, scratch.tables.data());
  pq4_ranges(scratch.tables.data(), count, scratch.smallest.data(), scratch.largest.data());
  double widest = 0, sum = factor_range;
  for (std::size_t s = 0; s < count; ++s) {
    const double width = static_cast<double>(scratch.largest[s]) - static_cast<double>(scratch.smallest[s]);
    widest = std::max(widest, width);
    sum += width;
  }
  // Rounding adds up to a half for each entry, and one for the factor.
  const double sums = std::max(1.0, 65535.0 - static_cast<double>(count) / 2 - 2);
  const double scale = std::min({255 / widest, sums / sum, 32767 / factor_range, kLargestBias / bias_range});
  out.scale = within(scale, 0, kLargestScale);
  out.factor_scale = static_cast<std::uint16_t>(within(factor_range * out.scale * 32768 / 32767, 0, 32767));
  pq4_quantize(scratch.tables.data(), count, scratch.smallest.data(), static_cast<float>(out.scale), out.bytes);
  std::fill(out.bytes + count * pq4::kCentroids, out.bytes + shape.table_bytes(), std::uint8_t{0});
}

}  // namespace cbir
