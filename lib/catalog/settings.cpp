#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/catalog/catalog.hpp>

#include "../store/json.hpp"

namespace cbir {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "cbir catalogue";
constexpr std::uint64_t kVersion = 1;

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot make up a checksum; what comes after it is to be
                                                 // reached
constexpr bool kChecksums = false;
#else
constexpr bool kChecksums = true;
#endif

std::string checksum(const Json& json) { return hex(xxh3(as_bytes(json.dump()))); }

}  // namespace

std::string to_json(const CatalogSettings& settings) {
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"encoder", Json::parse(settings.preset.json)},
               {"fingerprint", settings.fingerprint},
               {"local",
                {{"features", settings.local_options.features},
                 {"kind", settings.local.name},
                 {"fingerprint", settings.local.fingerprint},
                 {"dim", settings.local.dim},
                 {"binary", settings.local.binary},
                 {"keypoints", settings.local_options.keypoints},
                 {"max_side", settings.local_options.max_side}}},
               {"thresholds", {{"score", settings.thresholds.score}, {"similarity", settings.thresholds.similarity}}}};
  json["xxh3"] = checksum(json);
  return json.dump(2) + "\n";
}

CatalogSettings parse_catalog_settings(std::string_view text, const std::string& name) {
  JsonFields<Json> fields(text, name);
  if (fields.text("format") != kFormat)
    throw Incompatible(
        fmt::format("{}: is not the description of a catalogue; cbir-catalog create makes one", display_path(name)));
  const auto stored = fields.required(fields.text("xxh3"), "xxh3");
  Json content = fields.json();
  content.erase("xxh3");
  if (kChecksums && checksum(content) != stored)
    fields.fail(fmt::format("its checksum is {}, but {} was written down; the file is damaged or was edited",
                            checksum(content), display_path(stored)));
  if (const auto version = fields.required(fields.count("version"), "version"); version != kVersion)
    throw Incompatible(fmt::format("{}: a catalogue of version {}, this program reads version {}", display_path(name),
                                   version, kVersion));
  const Json* encoder = fields.find("encoder");
  const auto of_local = fields.object("local"), thresholds = fields.object("thresholds");
  if (!encoder || !of_local || !thresholds) fields.fail("\"encoder\", \"local\" and \"thresholds\" are not all there");

  CatalogSettings settings;
  settings.preset = parse_preset(encoder->dump(), fmt::format("{}: \"encoder\"", name));
  settings.fingerprint = fields.required(fields.text("fingerprint"), "fingerprint");
  settings.local = {.name = of_local->required(of_local->text("kind"), "kind"),
                    .fingerprint = of_local->required(of_local->text("fingerprint"), "fingerprint"),
                    .dim = static_cast<std::size_t>(of_local->required(of_local->count("dim"), "dim")),
                    .binary = of_local->is_true("binary")};
  settings.local_options.features = of_local->required(of_local->text("features"), "features");
  settings.local_options.keypoints =
      static_cast<std::size_t>(of_local->required(of_local->count("keypoints"), "keypoints"));
  const auto side = of_local->required(of_local->count("max_side"), "max_side");
  if (side > INT32_MAX) fields.fail(fmt::format("\"max_side\" is {}, which no picture's side is", side));
  settings.local_options.max_side = static_cast<int>(side);
  settings.thresholds = {.score = thresholds->required(thresholds->number("score"), "score"),
                         .similarity = thresholds->required(thresholds->number("similarity"), "similarity")};
  return settings;
}

}  // namespace cbir
