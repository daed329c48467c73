#pragma once
/// Layers out of a checkpoint: what a family's file says of a layer is its name and its shape.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "conv.hpp"
#include "linear.hpp"
#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// NAME.weight and NAME.bias. `shape` is out x in/groups x height x width. Throws as Parameters::take() does.
ConvSpec take_conv(Parameters& parameters, const std::string& name, at::IntArrayRef shape);

/// A convolution without a bias of its own and the batch norm after it, folded into one. Throws as Parameters::take()
/// does, and Error (damaged) if the variances make no sense.
ConvSpec take_conv(Parameters& parameters, const std::string& name, const std::string& bn, at::IntArrayRef shape,
                   double epsilon);

/// A weight, out x in, and a bias; NAME.weight and NAME.bias.
LinearSpec take_linear(Parameters& parameters, const std::string& weight, const std::string& bias, std::int64_t out,
                       std::int64_t in);
LinearSpec take_linear(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in);

/// Throws Error (incompatible) unless settings.layer is one of `layers` and settings.dimension is what stands
/// beside.
void check_layer(const Settings& settings, std::initializer_list<std::pair<std::string_view, std::int64_t>> layers);

}  // namespace cbir::nets
