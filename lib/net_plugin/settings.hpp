#pragma once
/// What a network needs to know of a preset (the fields of models/*.json that concern it).

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/boundary.hpp>

namespace cbir::nets {

struct PresetSettings {
  std::string network, layer, pool;
  double gem_p = 3;
  std::int64_t dimension = 0;
  std::int64_t size = 0;                   ///< width and height of the input, in pixels; 0: any
  std::array<float, 3> mean{}, std_dev{};  ///< of 8-bit values: (x - mean) / std
  std::vector<double> scales = {1};        ///< of the input; the vectors are averaged
  std::string activation;                  ///< "gelu" or "quick_gelu"; empty: the network's own
  bool flip = false;                       ///< the mirrored input, too
  bool unit = true;                        ///< vectors are meant to have length 1, before they are averaged, too
  std::int64_t context = 0;                ///< tokens of a text; 0: the text tower is not wanted
};

/// Throws Error if a field is missing or makes no sense.
PresetSettings parse_preset(const char* json);

/// What each 8-bit value of each channel becomes: a value has few, so dividing once each is exact and quick.
using PixelValues = std::array<std::array<float, 256>, 3>;
PixelValues pixel_values(const PresetSettings& settings);

}  // namespace cbir::nets
