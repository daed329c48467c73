#pragma once
/// Values between the pixels of a map, zero outside it, as torch.nn.functional.grid_sample has them.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace cbir::nets {

/// Pixels of `channels` numbers each, side by side.
struct FeatureMap {
  const float* data = nullptr;
  std::int64_t width = 0, height = 0, channels = 0;

  /// Of a 1 x channels x height x width tensor in channels-last order, which must outlive it.
  explicit FeatureMap(const at::Tensor& tensor);
  FeatureMap(const float* pixels, std::int64_t w, std::int64_t h, std::int64_t c)
      : data(pixels), width(w), height(h), channels(c) {}
  const float* at(std::int64_t x, std::int64_t y) const { return data + (y * width + x) * channels; }
  bool inside(std::int64_t x, std::int64_t y) const { return x >= 0 && y >= 0 && x < width && y < height; }
};

/// Adds to `out` (channels) the value at (x, y), where (0, 0) is the middle of the first pixel.
void add_bilinear(const FeatureMap& map, float x, float y, std::span<float> out);
/// By cubic convolution (Keys, 1981) with a = -0.75.
void add_bicubic(const FeatureMap& map, float x, float y, std::span<float> out);

/// Divides by the length, unless that is (nearly) zero: torch.nn.functional.normalize.
void normalise(std::span<float> vector);
/// Each row of a dense tensor of rows of `dimension` numbers, in place; of a map in channels-last order each pixel.
void normalise_rows(const at::Tensor& rows, std::int64_t dimension);

}  // namespace cbir::nets
