#include <cbir/encoder/preset.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include "fields.hpp"
#include "preset_head.hpp"

namespace cbir {
namespace {

constexpr std::array kKinds = {PresetKind::encoder, PresetKind::features, PresetKind::matcher, PresetKind::detector};
constexpr std::uint64_t kMaxSide = 4096;
constexpr std::size_t kMaxScales = 8;

Filter parse_filter(const std::string& name) {
  if (name == "nearest") return Filter::nearest;
  if (name == "box") return Filter::box;
  if (name == "bilinear") return Filter::bilinear;
  if (name == "lanczos") return Filter::lanczos;
  return Filter::bicubic;
}

Crop parse_crop(const std::string& name) {
  return name == "none" ? Crop::none : name == "pad" ? Crop::pad : Crop::center;
}

Preprocessing parse_preprocessing(Fields fields) {
  Preprocessing out;
  out.resize = static_cast<int>(fields.number("resize", 1, kMaxSide));
  out.resize_side = fields.one_of_or("resize_side", {"short", "long", "long-at-most", "both"}, "short");
  out.filter = parse_filter(fields.one_of("filter", {"nearest", "box", "bilinear", "bicubic", "lanczos"}));
  out.resize_rounding = fields.one_of("resize_rounding", {"round", "floor", "aspect"});
  out.crop_mode = parse_crop(fields.one_of_or("crop_mode", {"center", "none", "pad"}, "center"));
  if (out.crop_mode == Crop::center && out.resize_side.starts_with("long"))
    fields.fail("resize_side", fmt::format("is '{}', which may leave less than a centre crop needs", out.resize_side));
  // A crop that is not done may stay in the preset, so that --crop changes one field.
  const std::uint64_t largest = out.crop_mode == Crop::center ? static_cast<std::uint64_t>(out.resize) : kMaxSide;
  out.crop = static_cast<int>(fields.number("crop", 1, largest));
  out.crop_rounding = fields.one_of("crop_rounding", {"floor", "round"});
  out.mean = fields.triple("mean");
  out.std_dev = fields.triple("std");
  for (const float s : out.std_dev)
    if (!(s > 0) || !std::isfinite(s)) fields.fail("std", "holds a number that is not positive");
  fields.finish();
  return out;
}

SourceFile parse_source(Fields fields) {
  SourceFile out;
  out.file = fields.non_empty("file");
  if (out.file.find('/') != std::string::npos || out.file[0] == '.') fields.fail("file", "is not a plain file name");
  out.sha256 = fields.text_or("sha256", "");
  const bool hex = std::all_of(out.sha256.begin(), out.sha256.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  const bool some = out.sha256.size() >= 8 && out.sha256.size() <= 64;
  if (!out.sha256.empty() && !(some && hex))
    fields.fail("sha256", "is not 64 lower-case hexadecimal digits, nor 8 or more of the first ones");
  if (fields.has("size")) out.size = fields.number("size", 1, UINT64_MAX);
  out.licence = fields.non_empty("licence");
  out.pypi = fields.text_or("pypi", "");
  // It becomes an argument of pip's: nothing that could be an option, an address or a path.
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '=' || c == '+';
  };
  if (!out.pypi.empty() && (out.pypi[0] == '-' || out.pypi.find("==") == std::string::npos ||
                            !std::all_of(out.pypi.begin(), out.pypi.end(), allowed)))
    fields.fail("pypi", "is not of the form package==version");
  if (!out.pypi.empty() && (out.sha256.size() != 64 || out.size == 0))
    fields.fail("pypi", "needs the whole 'sha256' and the 'size' of the file");
  out.pypi_member = fields.text_or("pypi_member", "");
  if (out.pypi.empty() != out.pypi_member.empty()) fields.fail("pypi_member", "goes with 'pypi': both or none");
  out.url = fields.text_or("url", "");
  out.by_hand = fields.text_or("by_hand", "");
  if (!out.by_hand.empty() && !(out.pypi.empty() && out.url.empty()))
    fields.fail("by_hand", "goes neither with 'pypi' nor with 'url'");
  fields.finish();
  return out;
}

TextTower parse_text(Fields fields) {
  TextTower out;
  out.context = static_cast<int>(fields.number("context", 2, 1 << 16));
  out.tokenizer = fields.one_of("tokenizer", {"clip"});
  out.vocabulary = parse_source(fields.object("vocabulary"));
  fields.finish();
  return out;
}

std::vector<double> parse_scales(Fields& fields) {
  const auto& list = fields.required("scales");
  std::vector<double> out;
  if (!list.is_array() || list.empty() || list.size() > kMaxScales)
    fields.fail("scales", fmt::format("is not a list of 1 to {} numbers", kMaxScales));
  for (const auto& scale : list) {
    if (!scale.is_number() || !(scale.get<double>() >= .1 && scale.get<double>() <= 4))
      fields.fail("scales", fmt::format("holds {}; numbers from 0.1 to 4 were expected", scale.dump()));
    out.push_back(scale.get<double>());
  }
  return out;
}

PresetKind parse_kind(Fields& fields) {
  const std::string name = fields.one_of_or("kind", {"encoder", "features", "matcher", "detector"}, "encoder");
  return *std::ranges::find(kKinds, name, [](PresetKind kind) { return to_string(kind); });
}

}  // namespace

std::string_view to_string(PresetKind kind) {
  switch (kind) {
    case PresetKind::encoder:
      return "encoder";
    case PresetKind::features:
      return "features";
    case PresetKind::matcher:
      return "matcher";
    case PresetKind::detector:
      return "detector";
  }
  return "unknown";
}

nlohmann::json parse_preset_document(std::string_view json, const std::string& name) {
  try {
    // A key that stands twice is an error, not the last one's win.
    std::vector<std::set<std::string>> keys;
    return nlohmann::json::parse(json, [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
      if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
      if (event == nlohmann::json::parse_event_t::object_end) keys.pop_back();
      if (event == nlohmann::json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
        throw DamagedFile(fmt::format("{}: field '{}' stands twice", display_path(name), parsed.get<std::string>()));
      return true;
    });
  } catch (const nlohmann::json::exception& error) {
    throw DamagedFile(fmt::format("{}: not a preset: {}", display_path(name), error.what()));
  }
}

void parse_preset_head(Fields& fields, const nlohmann::json& document, PresetHead& out) {
  out.kind = parse_kind(fields);
  out.name = fields.non_empty("name");
  out.description = fields.text_or("description", "");
  out.network = fields.non_empty("network");
  out.weights = parse_source(fields.object("weights"));
  out.json = document.dump();  // keys are sorted
}

std::string_view to_string(Crop crop) {
  switch (crop) {
    case Crop::center:
      return "center";
    case Crop::none:
      return "none";
    case Crop::pad:
      return "pad";
  }
  return "unknown";
}

Preset parse_preset(std::string_view json, const std::string& name) {
  const nlohmann::json document = parse_preset_document(json, name);
  Preset out;
  Fields fields(document, name, "");
  parse_preset_head(fields, document, out);
  if (out.kind != PresetKind::encoder) fields.fail("kind", "is not 'encoder'");
  out.layer = fields.non_empty("layer");
  out.pool = fields.one_of("pool", {"avg", "gem", "max", "rmac", "none"});
  if (fields.has("gem_p")) out.gem_p = fields.real("gem_p", 1, 100);
  if (fields.has("activation")) out.activation = fields.one_of("activation", {"gelu", "quick_gelu"});
  out.dimension = static_cast<int>(fields.number("dimension", 1, 1 << 20));
  out.preprocessing = parse_preprocessing(fields.object("preprocessing"));
  if (fields.has("scales")) out.scales = parse_scales(fields);
  out.flip = fields.flag_or("flip", false);
  if (fields.has("text")) {
    out.text = parse_text(fields.object("text"));
    out.further.push_back(out.text->vocabulary);
  }
  out.normalization = fields.one_of("normalization", {"l2", "none"});
  out.metric = fields.one_of("metric", {"cosine", "dot", "l2"});
  fields.finish();
  return out;
}

Preset changed(const Preset& preset, const PresetChanges& changes) {
  if (changes.empty()) return preset;
  nlohmann::json json = nlohmann::json::parse(preset.json);
  if (changes.pool) json["pool"] = *changes.pool;
  if (!changes.scales.empty()) json["scales"] = changes.scales;
  if (changes.flip) json["flip"] = true;
  auto& input = json["preprocessing"];
  if (changes.crop) input["crop_mode"] = *changes.crop;
  if (changes.resize) {
    input["resize"] = *changes.resize;
    // A padded square has no size but its own.
    if (input.value("crop_mode", "center") == "pad") input["crop"] = *changes.resize;
  }
  try {
    Preset out = parse_preset(json.dump(), fmt::format("encoder '{}' with the options given", preset.name));
    out.origin = preset.origin;
    return out;
  } catch (const DamagedFile& error) {
    throw UsageError(error.what());
  }
}

}  // namespace cbir
