#pragma once
/// The networks of local features and their matchers. A new one is a file with a make function, and a line in
/// networks.cpp.

#include <cbir/local/local_plugin.h>

#include <memory>
#include <vector>

#include "../parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// What was found in a picture, the strongest first.
struct Features {
  std::vector<cbir_local_keypoint> keypoints;
  std::vector<float> descriptors;  ///< keypoints x dimension
};

/// For one thread at a time. Copies share the weights.
class FeatureNet {
 public:
  virtual ~FeatureNet() = default;
  /// `limit`: so many keypoints at most.
  virtual Features find(const cbir_net_picture& picture, std::size_t limit) const = 0;
  virtual std::unique_ptr<FeatureNet> clone() const = 0;
};

/// For one thread at a time. Copies share the weights.
class MatchNet {
 public:
  virtual ~MatchNet() = default;
  /// Both have keypoints. Matches are in the order of the first picture's keypoints.
  virtual std::vector<cbir_local_match> match(const cbir_local_features& a, const cbir_local_features& b) const = 0;
  virtual std::unique_ptr<MatchNet> clone() const = 0;
};

/// Build the network that the settings name. Throw Error.
std::unique_ptr<FeatureNet> make_feature_net(const FeatureSettings& settings, Parameters& parameters);
std::unique_ptr<MatchNet> make_match_net(const MatcherSettings& settings, Parameters& parameters);

std::unique_ptr<FeatureNet> make_aliked(const FeatureSettings& settings, Parameters& parameters);
std::unique_ptr<FeatureNet> make_superpoint(const FeatureSettings& settings, Parameters& parameters);
std::unique_ptr<FeatureNet> make_xfeat(const FeatureSettings& settings, Parameters& parameters);

std::unique_ptr<MatchNet> make_lightglue(const MatcherSettings& settings, Parameters& parameters);
std::unique_ptr<MatchNet> make_superglue(const MatcherSettings& settings, Parameters& parameters);

}  // namespace cbir::nets
