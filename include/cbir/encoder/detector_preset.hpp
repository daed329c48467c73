#pragma once
/// Presets of detectors.

#include <string>
#include <string_view>
#include <vector>

#include <cbir/encoder/preset.hpp>

namespace cbir {

/// Of kind "detector"; the network is "yolov5" or "onnx".
struct DetectorPreset : PresetHead {
  int size = 640;                         ///< the long side of a picture becomes so many pixels
  std::vector<std::string> classes = {};  ///< their names; empty: as the weights say
};

/// As load_preset() of encoders.
DetectorPreset load_detector_preset(const std::string& name_or_path);
DetectorPreset parse_detector_preset(std::string_view json, const std::string& name);

}  // namespace cbir
