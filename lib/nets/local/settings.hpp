#pragma once
/// What a network of local features, or a matcher of such, needs to know of its preset.

#include <cstdint>
#include <string>

#include <cbir/base/error.hpp>

namespace cbir::nets {

struct FeatureSettings {
  std::string network;
  std::int64_t dimension = 0;  ///< numbers in a descriptor
  float threshold = 0;         ///< scores of keypoints are above it
  int radius = 0;              ///< of the window in which a keypoint has the highest score
  int border = 0;              ///< pixels at the edge in which there are no keypoints
};

struct MatcherSettings {
  std::string network;
  std::int64_t dimension = 0;
  float threshold = 0;  ///< scores of matches are above it
  float depth_confidence = -1, width_confidence = -1;
  int iterations = 0;
};

/// Throw Error if a field is missing or makes no sense.
FeatureSettings parse_feature_settings(const char* preset_json);
MatcherSettings parse_matcher_settings(const char* preset_json);

}  // namespace cbir::nets
