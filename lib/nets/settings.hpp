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

/// Throws Error if a field is missing or makes no sense, or the precision or device is not to be had here.
Settings parse_settings(const cbir_net_source& source);

}  // namespace cbir::nets
