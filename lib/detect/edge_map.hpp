#pragma once
/// Where a picture has edges, thinned to one pixel.

#include <vector>

#include <cbir/image/image.hpp>

namespace cbir {

/// Row by row: strength 0 to 1 (0: no edge), and the direction across the edge, 0 to pi.
struct EdgeMap {
  int width = 0, height = 0;
  std::vector<float> strength, direction;

  std::size_t at(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  }
};

/// Gradients of the slightly smoothed picture, in each pixel those of the channel where they are steepest, relative to
/// the steepest hundredth of the picture, less half of their mean around; then only those that are steeper than their
/// neighbours across the edge.
EdgeMap find_edges(const Image& image);

}  // namespace cbir
