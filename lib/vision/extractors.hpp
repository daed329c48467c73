#pragma once
/// SIFT (Lowe, IJCV 2004) and ORB (Rublee et al., ICCV 2011) by OpenCV.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <cbir/local/local_plugin.h>

namespace cbir::vision {

struct Features {
  std::vector<cbir_local_keypoint> keypoints;  ///< the strongest first
  std::vector<float> descriptors;              ///< or
  std::vector<std::uint8_t> bits;
};

class Extractor {
 public:
  virtual ~Extractor() = default;
  virtual cbir_local_extractor_info info() const = 0;
  /// At most `count` features. Thread-safe.
  virtual Features extract(const cbir_net_picture& picture, std::size_t count) const = 0;
};

/// "sift" or "orb" with the settings of the preset. Throws Error.
std::unique_ptr<Extractor> make_extractor(const char* preset_json);

}  // namespace cbir::vision
