#include <cbir/encoder/preset.hpp>

#include <algorithm>
#include <cmath>

#include "fields.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kMaxSide = 4096;

Filter parse_filter(const std::string& name) {
  if (name == "nearest") return Filter::nearest;
  if (name == "box") return Filter::box;
  if (name == "bilinear") return Filter::bilinear;
  if (name == "lanczos") return Filter::lanczos;
  return Filter::bicubic;
}

Preprocessing parse_preprocessing(Fields fields) {
  Preprocessing out;
  out.resize = static_cast<int>(fields.number("resize", 1, kMaxSide));
  out.filter = parse_filter(fields.one_of("filter", {"nearest", "box", "bilinear", "bicubic", "lanczos"}));
  out.resize_rounding = fields.one_of("resize_rounding", {"round", "floor"});
  out.crop = static_cast<int>(fields.number("crop", 1, static_cast<std::uint64_t>(out.resize)));
  out.crop_rounding = fields.one_of("crop_rounding", {"floor", "round"});
  out.mean = fields.triple("mean");
  out.std_dev = fields.triple("std");
  for (const float s : out.std_dev)
    if (!(s > 0) || !std::isfinite(s)) fields.fail("std", "holds a number that is not positive");
  fields.finish();
  return out;
}

WeightsSource parse_weights(Fields fields) {
  WeightsSource out;
  out.file = fields.non_empty("file");
  if (out.file.find('/') != std::string::npos || out.file[0] == '.') fields.fail("file", "is not a plain file name");
  out.sha256 = fields.text("sha256");
  const bool hex = std::all_of(out.sha256.begin(), out.sha256.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (out.sha256.size() != 64 || !hex) fields.fail("sha256", "is not 64 lower-case hexadecimal digits");
  out.size = fields.number("size", 1, UINT64_MAX);
  out.licence = fields.non_empty("licence");
  out.pypi = fields.text_or("pypi", "");
  // It becomes an argument of pip's: nothing that could be an option, an address or a path.
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' || c == '=' || c == '+';
  };
  if (!out.pypi.empty() && (out.pypi[0] == '-' || out.pypi.find("==") == std::string::npos ||
                            !std::all_of(out.pypi.begin(), out.pypi.end(), allowed)))
    fields.fail("pypi", "is not of the form package==version");
  out.pypi_member = fields.text_or("pypi_member", "");
  if (out.pypi.empty() != out.pypi_member.empty()) fields.fail("pypi_member", "goes with 'pypi': both or none");
  out.url = fields.text_or("url", "");
  fields.finish();
  return out;
}

}  // namespace

Preset parse_preset(std::string_view json, const std::string& name) {
  nlohmann::json document;
  Preset out;
  try {
    // A key that stands twice is an error, not the last one's win.
    std::vector<std::set<std::string>> keys;
    document = nlohmann::json::parse(json, [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
      if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
      if (event == nlohmann::json::parse_event_t::object_end) keys.pop_back();
      if (event == nlohmann::json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
        throw DamagedFile(fmt::format("{}: field '{}' stands twice", display_path(name), parsed.get<std::string>()));
      return true;
    });
    out.json = document.dump();  // keys are sorted
  } catch (const nlohmann::json::exception& error) {
    throw DamagedFile(fmt::format("{}: not a preset: {}", display_path(name), error.what()));
  }
  Fields fields(document, name, "");
  out.name = fields.non_empty("name");
  out.description = fields.text_or("description", "");
  out.network = fields.non_empty("network");
  out.layer = fields.non_empty("layer");
  out.pool = fields.non_empty("pool");
  out.dimension = static_cast<int>(fields.number("dimension", 1, 1 << 20));
  out.preprocessing = parse_preprocessing(fields.object("preprocessing"));
  out.normalization = fields.one_of("normalization", {"l2", "none"});
  out.metric = fields.one_of("metric", {"cosine", "dot", "l2"});
  out.weights = parse_weights(fields.object("weights"));
  fields.finish();
  return out;
}

}  // namespace cbir
