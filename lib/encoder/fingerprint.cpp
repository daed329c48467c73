#include <nlohmann/json.hpp>

#include <cbir/base/hash.hpp>
#include <cbir/encoder/preset.hpp>

namespace cbir {
namespace {

std::string_view filter_name(Filter filter) {
  switch (filter) {
    case Filter::nearest:
      return "nearest";
    case Filter::box:
      return "box";
    case Filter::bilinear:
      return "bilinear";
    case Filter::bicubic:
      return "bicubic";
    case Filter::lanczos:
      return "lanczos";
  }
  return "unknown";
}

}  // namespace

// The fingerprint is the SHA-256 of a JSON object without white space, its keys in ascending order of bytes:
//   crop, crop_rounding, dimension, filter, layer, mean, network, normalization, pool, resize, resize_rounding, std,
//   version, weights
// as in the preset; "version" is 1, "weights" the SHA-256 of the weights file in use. mean and std are float32 numbers
// widened to float64 and written as the shortest decimal that reads back the same, with ".0" where they are whole.
// Further keys stand in it only where they are not what they once were bound to be: activation (if the preset has one),
// crop_mode (if not "center"), flip (if true), gem_p (if the pool is "gem"), resize_side (if not "short"), scales (if
// not [1.0]), and of a network that reads text context, tokenizer and vocabulary (the SHA-256 that the preset states).
// With crop_mode "none" crop is 0, and with "pad" resize is: they change nothing then.
std::string fingerprint(const Preset& preset, const std::string& weights_sha256) {
  const Preprocessing& input = preset.preprocessing;
  nlohmann::json canonical = {
      {"version", 1},
      {"weights", weights_sha256},
      {"network", preset.network},
      {"layer", preset.layer},
      {"pool", preset.pool},
      {"dimension", preset.dimension},
      {"normalization", preset.normalization},
      {"resize", input.crop_mode == Crop::pad ? 0 : input.resize},
      {"resize_rounding", input.resize_rounding},
      {"filter", filter_name(input.filter)},
      {"crop", input.crop_mode == Crop::none ? 0 : input.crop},
      {"crop_rounding", input.crop_rounding},
      {"mean", std::array<double, 3>{input.mean[0], input.mean[1], input.mean[2]}},
      {"std", std::array<double, 3>{input.std_dev[0], input.std_dev[1], input.std_dev[2]}},
  };
  if (input.crop_mode != Crop::center) canonical["crop_mode"] = to_string(input.crop_mode);
  if (input.resize_side != "short") canonical["resize_side"] = input.resize_side;
  if (!preset.activation.empty()) canonical["activation"] = preset.activation;
  if (preset.pool == "gem") canonical["gem_p"] = preset.gem_p;
  if (preset.scales != std::vector<double>{1}) canonical["scales"] = preset.scales;
  if (preset.flip) canonical["flip"] = true;
  if (preset.text) {
    canonical["context"] = preset.text->context;
    canonical["tokenizer"] = preset.text->tokenizer;
    canonical["vocabulary"] = preset.text->vocabulary.sha256;
  }
  return sha256(canonical.dump());
}

}  // namespace cbir
