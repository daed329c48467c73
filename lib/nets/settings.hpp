#pragma once
/// What a network needs to know of a preset, and what it runs on.

#include <c10/core/Device.h>
#include <cbir/encoder/net_plugin.h>

#include "../net_plugin/settings.hpp"
#include "arithmetic.hpp"

namespace cbir::nets {

struct Settings : PresetSettings {
  Precision precision = Precision::float32;
  c10::Device device = c10::kCPU;
};

/// "cpu", "cuda", or "auto", the fastest there is. Throws Error.
c10::Device choose_device(const std::string& wanted);

/// "float32", "bfloat16", or "auto": the fastest that keeps the order of results, bfloat16 where the device multiplies it
/// in hardware. Throws Error.
Precision choose_precision(const std::string& wanted, c10::Device device);

/// Throws Error if a field is missing or makes no sense, or the precision or device is not to be had here.
Settings parse_settings(const cbir_net_source& source);

}  // namespace cbir::nets
