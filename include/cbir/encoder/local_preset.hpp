#pragma once
/// Presets of the networks that find local features, and of those that match them.

#include <string>
#include <string_view>

#include <cbir/encoder/preset.hpp>

namespace cbir {

/// Of kind "features".
struct FeaturesPreset : PresetHead {
  int dimension = 0;     ///< numbers in a descriptor
  double threshold = 0;  ///< scores of keypoints are above it
  int radius = 0;        ///< no two keypoints are nearer to each other, in pixels along x and y
  int border = 0;        ///< keypoints keep so many pixels away from the picture's edge
};

/// Of kind "matcher".
struct MatcherPreset : PresetHead {
  std::string features;  ///< name of the preset whose features it was trained for
  int dimension = 0;     ///< numbers in a descriptor
  double threshold = 0;  ///< scores of matches are above it
  /// LightGlue's: once this share of keypoints is sure of its match no further layer is run; -1: all layers always are.
  double depth_confidence = -1;
  /// LightGlue's: how sure it must be that a keypoint has no match to leave it out of further layers; -1: it never is.
  double width_confidence = -1;
  int iterations = 0;  ///< SuperGlue's, of Sinkhorn's algorithm
};

/// As load_preset() of encoders.
FeaturesPreset load_features_preset(const std::string& name_or_path);
MatcherPreset load_matcher_preset(const std::string& name_or_path);
FeaturesPreset parse_features_preset(std::string_view json, const std::string& name);
MatcherPreset parse_matcher_preset(std::string_view json, const std::string& name);

/// SHA-256 over weights, network and dimension: features of equal fingerprints can be matched. How many there are of
/// them, and where, does not count.
std::string fingerprint(const FeaturesPreset& preset, const std::string& weights_sha256);

}  // namespace cbir
