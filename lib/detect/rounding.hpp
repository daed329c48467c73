#pragma once
/// Corners of boxes in hundredths of a pixel: a box that is written with two decimals and read again is the same.

#include <algorithm>
#include <cmath>

#include <cbir/detect/detector.hpp>

namespace cbir {

/// Whether something is left of the box.
inline bool round_corners(Detection& box, int width, int height) {
  const auto rounded = [](double at, int end) {
    return std::clamp(std::nearbyint(at * 100) / 100, 0.0, static_cast<double>(end));
  };
  box.x1 = rounded(box.x1, width);
  box.y1 = rounded(box.y1, height);
  box.x2 = rounded(box.x2, width);
  box.y2 = rounded(box.y2, height);
  return box.x2 > box.x1 && box.y2 > box.y1;  // false for what is no number, too
}

}  // namespace cbir
