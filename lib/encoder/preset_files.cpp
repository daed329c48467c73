#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/local_preset.hpp>
#include <cbir/encoder/preset.hpp>

#include "preset_head.hpp"

namespace cbir {
namespace {

constexpr std::string_view kExtension = ".json", kOnnxExtension = ".onnx";

/// What a user lacks who gives an .onnx file for an encoder.
std::string preset_for_onnx(const std::string& path) {
  const std::string file = base_name(path), name = file.substr(0, file.size() - kOnnxExtension.size());
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  return fmt::format(
      R"({}: an .onnx file does not say how a picture becomes its input. Write a preset beside it, with the numbers of
this network (mean and std are of 8-bit values; see the section on presets in docs/formats.md), and give that, {}.json:
{{
  "name": {},
  "network": "onnx",
  "layer": "auto",
  "pool": "none",
  "dimension": 512,
  "preprocessing": {{
    "resize": 256,
    "filter": "bilinear",
    "resize_rounding": "floor",
    "crop": 224,
    "crop_rounding": "round",
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375]
  }},
  "normalization": "l2",
  "metric": "cosine",
  "weights": {{"file": {}, "licence": "unknown"}}
}})",
      display_path(path), display_path(name), quoted(name), quoted(file));
}

/// The folder of the library (or program) that this module is linked into.
std::string library_folder() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&models_folder), &info) == 0 || !info.dli_fname) return ".";
  return parent_path(info.dli_fname);
}

std::vector<std::string> preset_folders() {
  if (const char* chosen = std::getenv("CBIR_PRESETS"); chosen && *chosen) return {chosen};
  return {library_folder() + "/" CBIR_PRESETS_FROM_LIBRARY, CBIR_PRESETS_SOURCE};
}

/// A preset as it was found, of whatever kind.
struct Found {
  std::string text, path;
  PresetHead head;
};

Found read_found(const std::string& path) {
  Found out{read_text(path), path, {}};
  const nlohmann::json document = parse_preset_document(out.text, path);
  Fields fields(document, path, "");
  parse_preset_head(fields, document, out.head);
  return out;
}

/// The file of a preset that came with the toolkit, if there is one of this name.
std::optional<std::string> find_file(const std::string& name) {
  if (name.find('/') != std::string::npos) return {};
  for (const std::string& folder : preset_folders())
    if (std::string path = fmt::format("{}/{}{}", folder, name, kExtension); exists(path)) return path;
  return {};
}

Found read_named(const std::string& name, const std::string& path) {
  Found found = read_found(path);
  if (found.head.name != name)
    throw DamagedFile(fmt::format("{}: field 'name' is '{}'; it must be the file's, '{}'", display_path(path),
                                  found.head.name, name));
  return found;
}

/// What somebody looks for who wants a preset of a kind.
std::string_view noun(PresetKind kind) {
  switch (kind) {
    case PresetKind::encoder:
      return "encoder";
    case PresetKind::features:
      return "network for local features";
    case PresetKind::matcher:
      return "matcher of local features";
    case PresetKind::detector:
      return "detector";
  }
  return "network";
}

std::string_view article(PresetKind kind) { return kind == PresetKind::encoder ? "an" : "a"; }

std::string known(std::optional<PresetKind> wanted) {
  const std::vector<std::string> names = wanted ? preset_names(*wanted) : preset_names();
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

Found find(const std::string& name_or_path, std::optional<PresetKind> wanted) {
  if (name_or_path.ends_with(kOnnxExtension)) throw UsageError(preset_for_onnx(name_or_path));
  std::optional<Found> found;
  if (name_or_path.ends_with(kExtension)) {
    found = read_found(name_or_path);
    found->head.origin = name_or_path;
  } else if (const auto path = find_file(name_or_path)) {
    found = read_named(name_or_path, *path);
  }
  if (!found)
    throw MissingInput(
        fmt::format("no {} is named '{}'; known are: {}. A preset of your own is a path that ends in .json",
                    wanted ? noun(*wanted) : "network", display_path(name_or_path), known(wanted)));
  if (wanted && found->head.kind != *wanted)
    throw Incompatible(fmt::format("'{}' is {} {}, and not {} {}; known are: {}", display_path(name_or_path),
                                   article(found->head.kind), noun(found->head.kind), article(*wanted), noun(*wanted),
                                   known(wanted)));
  return *std::move(found);
}

/// All that every kind has, after all fields of the kind were checked.
PresetHead checked(const Found& found) {
  switch (found.head.kind) {
    case PresetKind::encoder:
      return parse_preset(found.text, found.path);
    case PresetKind::features:
      return parse_features_preset(found.text, found.path);
    case PresetKind::matcher:
      return parse_matcher_preset(found.text, found.path);
    case PresetKind::detector:
      break;
  }
  return found.head;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

std::vector<std::string> preset_names() {
  std::set<std::string> names;
  for (const std::string& folder : preset_folders()) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename().string();
      if (file.ends_with(kExtension) && file.size() > kExtension.size() && file[0] != '.')
        names.insert(file.substr(0, file.size() - kExtension.size()));
    }
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> preset_names(PresetKind kind) {
  std::vector<std::string> names = preset_names();
  std::erase_if(names, [&](const std::string& name) { return read_found(*find_file(name)).head.kind != kind; });
  return names;
}

PresetHead load_preset_head(const std::string& name_or_path, std::optional<PresetKind> wanted) {
  const Found found = find(name_or_path, wanted);
  PresetHead head = checked(found);
  head.origin = found.head.origin;
  return head;
}

Preset load_preset(const std::string& name_or_path) {
  const Found found = find(name_or_path, PresetKind::encoder);
  Preset preset = parse_preset(found.text, found.path);
  preset.origin = found.head.origin;
  return preset;
}

std::string models_folder() {
  if (const std::string chosen = environment("CBIR_MODELS"); !chosen.empty()) return chosen;
  // The XDG base directory specification wants relative paths ignored.
  if (const std::string cache = environment("XDG_CACHE_HOME"); cache.starts_with('/')) return cache + "/cbir/models";
  const std::string home = environment("HOME");
  if (home.empty())
    throw MissingInput("neither CBIR_MODELS nor XDG_CACHE_HOME nor HOME says where weights are kept; set CBIR_MODELS");
  return home + "/.cache/cbir/models";
}

std::string source_path(const PresetHead& preset, const SourceFile& source) {
  if (!preset.origin.empty())
    if (std::string beside = parent_path(preset.origin) + "/" + source.file; exists(beside)) return beside;
  return models_folder() + "/" + source.file;
}

std::string weights_path(const PresetHead& preset) { return source_path(preset, preset.weights); }

}  // namespace cbir
