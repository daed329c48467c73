#pragma once
/// Rankings as one self-contained page: thumbnails inlined, nothing loaded from elsewhere, readable without scripts.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/cli/ranking.hpp>
#include <cbir/image/image.hpp>

namespace cbir {

/// What the page's head says.
struct PageFacts {
  std::string index;    ///< its name or path
  std::string encoder;  ///< empty if the index names none
  std::string metric;
  std::uint64_t rows = 0;
  std::uint64_t k = 0;
  std::optional<double> min_score = {};
  std::vector<std::string> templates = {};  ///< that texts were put into
  std::string verified_by = {};             ///< the features whose keypoints were asked; empty: none were
};

struct ThumbnailOptions {
  std::string root = {};  ///< put before the paths of results; empty: paths as they are
  int side = 240;         ///< longest side in pixels; smaller pictures stay as they are
  int quality = 82;       ///< JPEG's
  DecodeOptions decode = {};
};

/// A picture that comes more than once is inlined once. One that cannot be read becomes a box that says why.
/// Thumbnails of a ranking are made in parallel.
std::unique_ptr<RankingWriter> make_html_writer(OutputFile& out, const PageFacts& facts,
                                                const ThumbnailOptions& thumbnails);

}  // namespace cbir
