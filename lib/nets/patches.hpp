#pragma once
/// From 8-bit pixels to the input of a first convolution written as a matrix product.

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "settings.hpp"

namespace cbir::nets {

/// TensorFlow's 'SAME' padding in one dimension: the output has ceil(size / stride) elements, and an odd total puts the
/// extra one after.
struct SamePadding {
  std::int64_t before = 0, after = 0, output = 0;
};
SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride);

/// For each output position of a kernel x kernel convolution of the normalised picture, 'SAME' padding, what the kernel
/// sees: an NHWC tensor 1 x (kernel * kernel * 3) x out x out, ordered (dy, dx, channel). Normalisation, padding and
/// layout cost one pass, and a first layer of 3 channels, which convolution kernels are slow at, becomes a product of
/// matrices.
at::Tensor first_patches(const std::uint8_t* picture, const Settings& settings, std::int64_t kernel,
                         std::int64_t stride);

}  // namespace cbir::nets
