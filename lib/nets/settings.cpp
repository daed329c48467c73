#include "settings.hpp"

#include <nlohmann/json.hpp>

namespace cbir::nets {
namespace {

/// The networks compute in float32 on the processor; "auto" is whatever is best.
void check_run(const cbir_net_source& source) {
  const std::string precision = source.precision, device = source.device;
  if (precision != "float32" && precision != "auto")
    throw NetError(ExitCode::resource, "the networks compute in float32, not in '" + precision + "'");
  if (device != "cpu" && device != "auto")
    throw NetError(ExitCode::resource, "the networks run on the cpu, not on '" + device + "'");
}

}  // namespace

Settings parse_settings(const cbir_net_source& source) {
  Settings out;
  try {
    const auto preset = nlohmann::json::parse(source.preset_json);
    const auto& input = preset.at("preprocessing");
    out.network = preset.at("network").get<std::string>();
    out.layer = preset.at("layer").get<std::string>();
    out.pool = preset.at("pool").get<std::string>();
    out.gem_p = preset.value("gem_p", out.gem_p);
    out.dimension = preset.at("dimension").get<std::int64_t>();
    if (input.value("crop_mode", "center") != "none") out.size = input.at("crop").get<std::int64_t>();
    out.mean = input.at("mean").get<std::array<float, 3>>();
    out.std_dev = input.at("std").get<std::array<float, 3>>();
    out.scales = preset.value("scales", out.scales);
    out.flip = preset.value("flip", out.flip);
    out.unit = preset.value("normalization", "l2") == "l2";
    if (preset.contains("text")) out.context = preset.at("text").at("context").get<std::int64_t>();
  } catch (const nlohmann::json::exception& error) {
    throw NetError(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
  if (out.size != 0 && (out.size < 32 || out.size > 2048))
    throw NetError(ExitCode::damaged,
                   "preprocessing.crop is " + std::to_string(out.size) + "; 32 to 2048 was expected");
  for (const float s : out.std_dev)
    if (!(s > 0)) throw NetError(ExitCode::damaged, "preprocessing.std holds a number that is not positive");
  check_run(source);
  return out;
}

}  // namespace cbir::nets
