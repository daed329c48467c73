#pragma once
/// Small copies of pictures for the HTML page.

#include <cstddef>
#include <string>
#include <vector>

#include <cbir/cli/html.hpp>

namespace cbir {

struct Thumbnail {
  int width = 0, height = 0;
  std::vector<std::byte> jpeg;
  std::string problem;  ///< why there is no picture; empty if there is one
};

/// Never throws for a picture that cannot be read.
Thumbnail make_thumbnail(const std::string& path, const ThumbnailOptions& options);

}  // namespace cbir
