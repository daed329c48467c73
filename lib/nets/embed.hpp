#pragma once
/// From a network's input to its embeddings: at several scales, mirrored, averaged.

#include "families.hpp"

namespace cbir::nets {

/// Throws Error if the network cannot take what the settings would feed it with.
void check_input(const Settings& settings, const Traits& traits);

/// Normalised pictures, N x 3 x H x W, to N x D. Scaling is bilinear, without antialiasing, as
/// torch.nn.functional.interpolate(mode='bilinear', align_corners=False) does it in multi-scale descriptors.
at::Tensor embed(const Runner& runner, const at::Tensor& pictures, const Settings& settings);

/// Rows of a tensor of rows x dim numbers on any device to memory. Throws Error if it has another shape.
void copy_rows(const at::Tensor& vectors, std::size_t rows, std::size_t dim, float* out);

}  // namespace cbir::nets
