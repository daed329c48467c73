#pragma once
/// From 8-bit pixels to a network's input, and to that of a first convolution written as a matrix product.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "settings.hpp"

namespace cbir::nets {

/// TensorFlow's 'SAME' padding in one dimension: the output has ceil(size / stride) elements, and an odd total puts the
/// extra one after.
struct SamePadding {
  std::int64_t before = 0, after = 0, output = 0;
};
SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride);

/// (x - mean) / std of 8-bit RGB pictures of one size: N x 3 x height x width, channels last.
at::Tensor normalised(std::span<const cbir_net_picture> pictures, const Settings& settings);

/// What a kernel x kernel convolution of zero-padded pictures sees at each output position: N x 3 x H x W, channels
/// last, to N x (kernel * kernel * 3) x out x out, channels last, ordered (dy, dx, channel). A first layer of 3
/// channels, which convolution kernels are slow at, becomes a product of matrices.
at::Tensor patches(const at::Tensor& pictures, std::int64_t kernel, std::int64_t stride, const SamePadding& vertical,
                   const SamePadding& horizontal);

}  // namespace cbir::nets
