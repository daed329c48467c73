#include "descriptor_codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <cbir/index/scan.hpp>

#include "lib/index/lsh.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kBlock = 256;  // descriptors that are coded at a time

/// Rows of descriptors `first` to `last`, padded with zeros as kernels want them.
std::vector<float> padded_rows(std::span<const float> descriptors, std::size_t dim, std::size_t first,
                               std::size_t last) {
  const std::size_t stride = padded_dim(dim);
  std::vector<float> rows((last - first) * stride);
  for (std::size_t i = first; i < last; ++i)
    std::ranges::copy(descriptors.subspan(i * dim, dim),
                      rows.begin() + static_cast<std::ptrdiff_t>((i - first) * stride));
  return rows;
}

}  // namespace

DescriptorCoder::DescriptorCoder(const LocalKind& kind, std::span<const float> sample) : kind_(kind) {
  if (kind.binary) return;
  std::size_t count = sample.size() / kind.dim;
  std::vector<float> rows = padded_rows(sample, kind.dim, 0, count);
  if (count == 0) rows.resize((count = 1) * padded_dim(kind.dim));  // nothing is known: about zero
  planes_ = Hyperplanes::draw({rows.data(), count, padded_dim(kind.dim)}, kind.dim, kCodeBits, Metric::l2, kSeed);
}

DescriptorCodes DescriptorCoder::encode(const LocalFeatures& features, bool with_margins) const {
  if (!kind_.binary) return encode_floats(features, with_margins);
  DescriptorCodes out;
  out.codes.resize(features.size());
  const std::size_t bytes = std::min(kind_.dim, sizeof(DescriptorCode));
  for (std::size_t i = 0; i < features.size(); ++i)
    std::memcpy(out.codes[i].data(), features.bits.data() + i * kind_.dim, bytes);
  return out;
}

DescriptorCodes DescriptorCoder::encode_floats(const LocalFeatures& features, bool with_margins) const {
  const std::size_t stride = padded_dim(kind_.dim), count = features.size();
  const MatrixView<const float> normals(planes_.data(), kCodeBits, stride);
  const float* offsets = planes_.data() + kCodeBits * stride;
  DescriptorCodes out;
  out.codes.resize(count);
  if (with_margins) out.margins.resize(count * kCodeBits);
  std::vector<float> sides(kBlock * kCodeBits);
  for (std::size_t first = 0; first < count; first += kBlock) {
    const std::size_t last = std::min(count, first + kBlock);
    const std::vector<float> rows = padded_rows(features.descriptors, kind_.dim, first, last);
    inner_products({rows.data(), last - first, stride}, normals, {sides.data(), last - first, kCodeBits});
    for (std::size_t i = first; i < last; ++i)
      for (std::size_t bit = 0; bit < kCodeBits; ++bit) {
        const float side = sides[(i - first) * kCodeBits + bit] - offsets[bit];
        out.codes[i][bit / 64] |= static_cast<std::uint64_t>(side > 0) << bit % 64;
        if (with_margins) out.margins[i * kCodeBits + bit] = std::abs(side);
      }
  }
  return out;
}

}  // namespace cbir
