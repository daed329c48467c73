#include <cbir/encoder/local_preset.hpp>

#include <cbir/base/hash.hpp>

#include "fields.hpp"
#include "preset_head.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kMaxDimension = 4096, kMaxPixels = 64, kMaxIterations = 10000;

/// Reads the head, checks the kind, and leaves the rest to `rest(fields, preset)`.
template <typename Preset, typename Rest>
Preset parse(std::string_view json, const std::string& name, PresetKind kind, Rest rest) {
  const nlohmann::json document = parse_preset_document(json, name);
  Preset out;
  Fields fields(document, name, "");
  parse_preset_head(fields, document, out);
  if (out.kind != kind) fields.fail("kind", fmt::format("is not '{}'", to_string(kind)));
  out.dimension = static_cast<int>(fields.number("dimension", 1, kMaxDimension));
  out.threshold = fields.real("threshold", 0, 1);
  rest(fields, out);
  fields.finish();
  return out;
}

int number_or_zero(Fields& fields, const char* name, std::uint64_t most) {
  return fields.has(name) ? static_cast<int>(fields.number(name, 0, most)) : 0;
}

}  // namespace

FeaturesPreset parse_features_preset(std::string_view json, const std::string& name) {
  return parse<FeaturesPreset>(json, name, PresetKind::features, [](Fields& fields, FeaturesPreset& out) {
    out.radius = static_cast<int>(fields.number("radius", 1, kMaxPixels));
    out.border = number_or_zero(fields, "border", kMaxPixels);
  });
}

MatcherPreset parse_matcher_preset(std::string_view json, const std::string& name) {
  return parse<MatcherPreset>(json, name, PresetKind::matcher, [](Fields& fields, MatcherPreset& out) {
    out.features = fields.non_empty("features");
    if (fields.has("depth_confidence")) out.depth_confidence = fields.real("depth_confidence", 0, 1);
    if (fields.has("width_confidence")) out.width_confidence = fields.real("width_confidence", 0, 1);
    out.iterations = number_or_zero(fields, "iterations", kMaxIterations);
  });
}

FeaturesPreset load_features_preset(const std::string& name_or_path) {
  const PresetHead head = load_preset_head(name_or_path, PresetKind::features);
  FeaturesPreset out = parse_features_preset(head.json, name_or_path);
  out.origin = head.origin;
  return out;
}

MatcherPreset load_matcher_preset(const std::string& name_or_path) {
  const PresetHead head = load_preset_head(name_or_path, PresetKind::matcher);
  MatcherPreset out = parse_matcher_preset(head.json, name_or_path);
  out.origin = head.origin;
  return out;
}

// The SHA-256 of a JSON object without white space: dimension, network, version (1), weights (the file's SHA-256).
std::string fingerprint(const FeaturesPreset& preset, const std::string& weights_sha256) {
  const nlohmann::json canonical = {
      {"version", 1}, {"weights", weights_sha256}, {"network", preset.network}, {"dimension", preset.dimension}};
  return sha256(canonical.dump());
}

}  // namespace cbir
