#include "settings.hpp"

#include <nlohmann/json.hpp>

namespace cbir::nets {

PresetSettings parse_preset(const char* json) {
  PresetSettings out;
  try {
    const auto preset = nlohmann::json::parse(json);
    const auto& input = preset.at("preprocessing");
    out.network = preset.at("network").get<std::string>();
    out.layer = preset.at("layer").get<std::string>();
    out.pool = preset.at("pool").get<std::string>();
    out.gem_p = preset.value("gem_p", out.gem_p);
    out.dimension = preset.at("dimension").get<std::int64_t>();
    if (input.value("crop_mode", "center") != "none") out.size = input.at("crop").get<std::int64_t>();
    out.mean = input.at("mean").get<std::array<float, 3>>();
    out.std_dev = input.at("std").get<std::array<float, 3>>();
    out.activation = preset.value("activation", out.activation);
    out.scales = preset.value("scales", out.scales);
    out.flip = preset.value("flip", out.flip);
    out.unit = preset.value("normalization", "l2") == "l2";
    if (preset.contains("text")) out.context = preset.at("text").at("context").get<std::int64_t>();
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
  if (out.size != 0 && (out.size < 32 || out.size > 2048))
    throw Error(ExitCode::damaged, "preprocessing.crop is " + std::to_string(out.size) + "; 32 to 2048 was expected");
  for (const float s : out.std_dev)
    if (!(s > 0)) throw Error(ExitCode::damaged, "preprocessing.std holds a number that is not positive");
  return out;
}

PixelValues pixel_values(const PresetSettings& settings) {
  PixelValues out{};
  for (std::size_t c = 0; c < out.size(); ++c)
    for (std::size_t value = 0; value < out[c].size(); ++value)
      out[c][value] = (static_cast<float>(value) - settings.mean[c]) / settings.std_dev[c];
  return out;
}

}  // namespace cbir::nets
