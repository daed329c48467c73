#pragma once
/// What matches prove, as something to draw: lines between two pictures, and the outline of one in the other.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/local/local.hpp>

namespace cbir {

struct OverlayPoint {
  double x = 0, y = 0;
};

/// An inlier, in pixels of both pictures.
struct OverlayLine {
  OverlayPoint a, b;
};

std::vector<OverlayLine> inlier_lines(const LocalFeatures& a, const LocalFeatures& b,
                                      const std::vector<LocalMatch>& matches, const Verification& verification);

/// Where the corners of the first picture, of this size, lie in the second, by a transform that takes points to points;
/// none if a corner lies at infinity.
std::vector<OverlayPoint> outline(const std::array<double, 9>& transform, int width, int height);
/// The same by what was found; none, too, if that is no such transform.
std::vector<OverlayPoint> outline(const Verification& verification, GeometricModel model, int width, int height);

/// Colours of lines go round with the height at which they begin, so that neighbours look alike. 8-bit RGB.
std::array<std::uint8_t, 3> line_colour(double height_share);

}  // namespace cbir
