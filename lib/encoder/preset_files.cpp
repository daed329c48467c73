#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/preset.hpp>

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
  if (dladdr(reinterpret_cast<void*>(&preset_names), &info) == 0 || !info.dli_fname) return ".";
  return parent_path(info.dli_fname);
}

std::vector<std::string> preset_folders() {
  if (const char* chosen = std::getenv("CBIR_PRESETS"); chosen && *chosen) return {chosen};
  return {library_folder() + "/" CBIR_PRESETS_FROM_LIBRARY, CBIR_PRESETS_SOURCE};
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

Preset load_preset(const std::string& name_or_path) {
  if (name_or_path.ends_with(kExtension)) {
    Preset preset = parse_preset(read_text(name_or_path), name_or_path);
    preset.origin = name_or_path;
    return preset;
  }
  if (name_or_path.ends_with(kOnnxExtension)) throw UsageError(preset_for_onnx(name_or_path));
  std::string known;
  for (const std::string& name : preset_names()) {
    if (name != name_or_path) {
      known += (known.empty() ? "" : ", ") + name;
      continue;
    }
    for (const std::string& folder : preset_folders()) {
      const std::string path = fmt::format("{}/{}{}", folder, name, kExtension);
      if (!exists(path)) continue;
      Preset preset = parse_preset(read_text(path), path);
      if (preset.name != name)
        throw DamagedFile(fmt::format("{}: field 'name' is '{}'; it must be the file's, '{}'", display_path(path),
                                      preset.name, name));
      return preset;
    }
  }
  throw MissingInput(
      fmt::format("no encoder is named '{}'; known are: {}. A preset of your own is a path that ends in .json",
                  display_path(name_or_path), known.empty() ? "none" : known));
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

std::string source_path(const Preset& preset, const SourceFile& source) {
  if (!preset.origin.empty())
    if (std::string beside = parent_path(preset.origin) + "/" + source.file; exists(beside)) return beside;
  return models_folder() + "/" + source.file;
}

std::string weights_path(const Preset& preset) { return source_path(preset, preset.weights); }

}  // namespace cbir
