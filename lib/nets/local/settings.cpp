#include "settings.hpp"

#include <nlohmann/json.hpp>

namespace cbir::nets {
namespace {

template <typename Read>
auto parsed(const char* json, Read read) {
  try {
    return read(nlohmann::json::parse(json));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
}

}  // namespace

FeatureSettings parse_feature_settings(const char* preset_json) {
  return parsed(preset_json, [](const nlohmann::json& preset) {
    FeatureSettings out;
    out.network = preset.at("network").get<std::string>();
    out.dimension = preset.at("dimension").get<std::int64_t>();
    out.threshold = preset.at("threshold").get<float>();
    out.radius = preset.at("radius").get<int>();
    out.border = preset.value("border", out.border);
    return out;
  });
}

MatcherSettings parse_matcher_settings(const char* preset_json) {
  return parsed(preset_json, [](const nlohmann::json& preset) {
    MatcherSettings out;
    out.network = preset.at("network").get<std::string>();
    out.dimension = preset.at("dimension").get<std::int64_t>();
    out.threshold = preset.at("threshold").get<float>();
    out.depth_confidence = preset.value("depth_confidence", out.depth_confidence);
    out.width_confidence = preset.value("width_confidence", out.width_confidence);
    out.iterations = preset.value("iterations", out.iterations);
    return out;
  });
}

}  // namespace cbir::nets
