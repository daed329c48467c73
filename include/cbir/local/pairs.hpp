#pragma once
/// Pictures compared two by two.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/local/local.hpp>

namespace cbir {

struct PicturePair {
  std::string a, b;  ///< paths

  bool operator==(const PicturePair&) const = default;
};

/// Lines of two paths between a tab, escaped as in all our TSV files; further columns are ignored, empty lines passed
/// over. "-" is standard input. Throws MissingInput (no file, no line), DamagedFile (a line of one column).
std::vector<PicturePair> read_picture_pairs(const std::string& path);
std::vector<PicturePair> parse_picture_pairs(std::string_view text, const std::string& name);

struct PairOptions {
  LocalOptions local = {};
  std::string matcher = "nn";  ///< a name of local_matcher_names(), or a preset's file.json
  VerifyOptions verify = {};
  DecodeOptions decode = {};
  bool mirror = false;  ///< a pair that is not verified is compared once more, with the first picture mirrored
};

struct MatchedPair {
  PicturePair pair;
  std::shared_ptr<const LocalFeatures> a, b;  ///< none of a pair that has a problem
  std::vector<LocalMatch> matches = {};
  Verification verification = {};
  bool mirrored = false;  ///< `a` are features of the mirrored picture; its keypoints are where they are in the picture
  std::string problem = {};  ///< why the pair could not be compared; empty if it was
};

/// The features of one picture, or why there are none.
struct PictureFeatures {
  std::shared_ptr<const LocalFeatures> features = {};
  std::string problem = {};  ///< with the path
};

/// Which way round a picture is looked at.
enum class Side { front, mirrored };

/// Reads, decodes and looks at a picture, or at what lies in `box` of it. Keypoints of a mirrored one are where they
/// are in the mirror image. Whatever is wrong with its file is the problem; thrown is what is no fault of the file (a
/// plug-in that is not installed).
PictureFeatures features_of_file(const std::string& path, const LocalExtractor& extractor, const DecodeOptions& decode,
                                 const std::optional<PixelBox>& box = {}, Side side = Side::front);

/// Two pictures compared.
struct FeatureComparison {
  std::shared_ptr<const LocalFeatures> a = {};  ///< with keypoints where they are in the picture itself
  std::vector<LocalMatch> matches = {};
  Verification verification = {};
  bool mirrored = false;
};

/// Compares, and if that verifies nothing and there is a mirrored picture (of features_of_file()), that, too: the
/// better of both.
FeatureComparison compare_features(const std::shared_ptr<const LocalFeatures>& a,
                                   const std::shared_ptr<const LocalFeatures>& mirrored, const LocalFeatures& b,
                                   const LocalMatcher& matcher, const VerifyOptions& options);

/// Hands on every pair, in order; pairs are compared in parallel. A picture that comes in several pairs close to one
/// another is looked at once. Throws as open_local_extractor and open_local_matcher.
void match_pairs(std::span<const PicturePair> pairs, const PairOptions& options,
                 const std::function<void(const MatchedPair&)>& sink);

}  // namespace cbir
