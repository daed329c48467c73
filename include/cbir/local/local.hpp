#pragma once
/// Local features out of pictures, matched between two, and what the matches prove: whether one picture shows something
/// of the other, and where.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/image/image.hpp>
#include <cbir/local/features.hpp>

namespace cbir {

struct LocalOptions {
  std::string features = "sift";  ///< a name of local_feature_names(), or a preset's file.json
  std::size_t keypoints = 1000;   ///< the strongest so many are kept
  int max_side = 1024;            ///< a larger picture is made smaller before it is looked at; 0: never
};

/// Finds the features of a picture. Thread-safe; computes on the calling thread alone, so that the result depends on
/// nothing but the picture.
class LocalExtractor {
 public:
  virtual ~LocalExtractor() = default;

  virtual const LocalKind& kind() const = 0;

  /// A picture without features (a blank wall, one pixel) has none; that is no error.
  virtual LocalFeatures extract(const Image& picture) const = 0;
};

/// Which features of one picture are those of another. Thread-safe, as above.
class LocalMatcher {
 public:
  virtual ~LocalMatcher() = default;

  virtual std::vector<LocalMatch> match(const LocalFeatures& a, const LocalFeatures& b) const = 0;
};

/// "sift", "orb", "xfeat", "aliked", "superpoint", and "nn", "lighterglue", "lightglue", "superglue"; behind these the
/// other presets of their kinds, as "aliked-n32". Throws as preset_names().
std::vector<std::string> local_feature_names();
std::vector<std::string> local_matcher_names();

/// Throws UsageError if the name is none of local_matcher_names(), nor that of a preset's file.
void require_local_matcher(const std::string& name);

/// Throws UsageError (no such name), MissingInput (weights that are not here, saying how to get them; a plug-in that is
/// not installed), DamagedFile.
std::unique_ptr<LocalExtractor> open_local_extractor(const LocalOptions& options);

/// Throws as above, and Incompatible for a matcher that was not made for these features.
std::unique_ptr<LocalMatcher> open_local_matcher(const std::string& name, const LocalKind& kind);

/// What may lie between two pictures of one thing.
enum class GeometricModel {
  affine,      ///< a flat thing, seen from far away
  homography,  ///< a flat thing, or a camera that only turned
  fundamental  ///< any thing that does not move
};

std::string_view to_string(GeometricModel model);
GeometricModel parse_geometric_model(const std::string& name);  ///< Throws UsageError.

struct VerifyOptions {
  GeometricModel model = GeometricModel::homography;
  double threshold = 3;    ///< pixels that a point of the model may be off, in the picture as it was looked at
  std::uint64_t seed = 0;  ///< of the estimation: the same input gives the same result
  /// The second picture is to show the first one mirrored, which no camera does but a program may. `a` are features of
  /// the mirrored picture then, with keypoints where they are in the picture itself.
  bool mirrored = false;
};

/// From this score on two pictures show the same thing; how it was found: docs/verification.md.
inline constexpr double kVerifiedScore = 12;

/// What the matches of two pictures prove.
struct Verification {
  std::size_t matches = 0;
  std::vector<std::uint32_t> inliers = {};  ///< positions in the list of matches, ascending
  /// From the first picture to the second, row by row, in pixels of the upright pictures: x_b ~ H x_a, or of the model
  /// fundamental x_b' F x_a = 0. Nothing if the matches agree on no model.
  std::optional<std::array<double, 9>> transform = {};
  /// How unlikely so many inliers are by chance: pictures that have nothing in common reach a score of s about once in
  /// 10^s pairs (the logarithm of the number of false alarms: Moisan and Stival, IJCV 2004, with its sign changed).
  /// 0 without a model.
  double score = 0;

  bool verified() const noexcept { return score >= kVerifiedScore; }
};

/// Robust estimation by OpenCV's USAC (MAGSAC++; Barath et al., CVPR 2020). Degenerate results (mirrored unless that is
/// asked for, collapsed) are none. Inliers are matches that the model takes to within the threshold; of several at one
/// place the score counts one. Throws MissingInput if the plug-in is not installed, and UsageError for matches of
/// features that are not there.
Verification verify_matches(const LocalFeatures& a, const LocalFeatures& b, std::span<const LocalMatch> matches,
                            const VerifyOptions& options);

/// Takes keypoints of the mirror image to where they are in the picture itself, or back.
void mirror_keypoints(LocalFeatures& features);

/// The transform of two parts of pictures, as one of the whole pictures in which the parts begin at these points.
std::array<double, 9> in_whole_pictures(GeometricModel model, const std::array<double, 9>& transform,
                                        std::array<int, 2> a, std::array<int, 2> b);

}  // namespace cbir
