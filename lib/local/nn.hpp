#pragma once
/// Matching by nearest neighbours.

#include <cbir/local/local.hpp>

namespace cbir {

/// When the nearest neighbour of a feature is believed to be the same point.
struct NnSettings {
  /// Its distance is below this share of the distance to the second nearest (Lowe, IJCV 2004, section 7.1).
  float ratio = .8F;
  /// Its distance is at most this: L2 of floats, differing bits.
  float distance = kAnyDistance;

  static constexpr float kAnyDistance = 3e38F;
};

NnSettings nn_settings(const LocalKind& kind);

/// Pairs that are each other's nearest neighbours and pass the settings, in the order of the first picture's features.
/// The score is 1 less the ratio of distances.
std::unique_ptr<LocalMatcher> make_nn_matcher(const LocalKind& kind, const NnSettings& settings);

}  // namespace cbir
