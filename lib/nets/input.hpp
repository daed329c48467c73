#pragma once
/// From 8-bit pixels to a network's input.

#include <ATen/core/Tensor.h>

#include <span>

#include "settings.hpp"

namespace cbir::nets {

/// (x - mean) / std of 8-bit RGB pictures of one size: N x 3 x height x width, channels last.
at::Tensor normalised(std::span<const cbir_net_picture> pictures, const Settings& settings);

}  // namespace cbir::nets
