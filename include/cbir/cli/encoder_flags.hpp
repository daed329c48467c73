#pragma once
/// The options about encoders, the same in every program that runs one.

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include <cbir/extract/extract.hpp>

namespace cbir {

/// Adds --model, --weights, --pool, --scales, --flip, --resize, --crop, --precision and --device, listed by --help
/// under `group`; `model` is what it says of --model. Returns their names.
std::vector<std::string> add_encoder_flags(CLI::App& app, EncoderRequest& request, const std::string& group,
                                           const std::string& model);

}  // namespace cbir
