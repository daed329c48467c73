#pragma once
/// Writers of pictures compared two by two, one a format. They stream.

#include <memory>
#include <string>
#include <string_view>

#include <cbir/base/file.hpp>
#include <cbir/cli/html.hpp>
#include <cbir/local/pairs.hpp>

namespace cbir {

/// What was compared and how, for those formats that say it.
struct MatchFacts {
  std::string features, matcher;
  GeometricModel model = GeometricModel::homography;
};

class MatchesWriter {
 public:
  virtual ~MatchesWriter() = default;

  /// Throws OutputError.
  virtual void write(const MatchedPair& pair) = 0;

  /// Writes what comes after the last pair. The caller commits the file.
  virtual void finish() {}
};

/// `a<TAB>b<TAB>keypoints of a<TAB>of b<TAB>matches<TAB>inliers<TAB>score<TAB>model`, paths escaped by tsv_escape(),
/// the score with three decimals, the model by format_transform(). A pair with a problem has no line.
std::unique_ptr<MatchesWriter> make_matches_tsv_writer(OutputFile& out);

/// A JSON object a pair: a, b, features, matcher, keypoints_a, keypoints_b, matches, inliers, score, verified, model,
/// transform (nine numbers, or null), and with `points` the inliers as [x, y, x, y] in pixels of both pictures. A pair
/// with a problem has a, b and error.
std::unique_ptr<MatchesWriter> make_matches_jsonl_writer(OutputFile& out, MatchFacts facts, bool points);

/// A page with both pictures of each pair side by side and a line an inlier between them.
std::unique_ptr<MatchesWriter> make_matches_html_writer(OutputFile& out, MatchFacts facts,
                                                        const ThumbnailOptions& thumbnails);

/// Both pictures side by side, a line an inlier between them, and where the first lies in the second.
Image draw_matches(const MatchedPair& pair, GeometricModel model, const Image& a, const Image& b);

}  // namespace cbir
