#include "settings.hpp"

#include <nlohmann/json.hpp>

namespace cbir::nets {

Settings parse_settings(const char* preset_json) {
  Settings out;
  try {
    const auto preset = nlohmann::json::parse(preset_json);
    const auto& input = preset.at("preprocessing");
    out.network = preset.at("network").get<std::string>();
    out.layer = preset.at("layer").get<std::string>();
    out.pool = preset.at("pool").get<std::string>();
    out.dimension = preset.at("dimension").get<std::int64_t>();
    out.size = input.at("crop").get<std::int64_t>();
    out.mean = input.at("mean").get<std::array<float, 3>>();
    out.std_dev = input.at("std").get<std::array<float, 3>>();
  } catch (const nlohmann::json::exception& error) {
    throw NetError(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
  if (out.size < 32 || out.size > 2048)
    throw NetError(ExitCode::damaged,
                   "preprocessing.crop is " + std::to_string(out.size) + "; 32 to 2048 was expected");
  for (const float s : out.std_dev)
    if (!(s > 0)) throw NetError(ExitCode::damaged, "preprocessing.std holds a number that is not positive");
  return out;
}

}  // namespace cbir::nets
