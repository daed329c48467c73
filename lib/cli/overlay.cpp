#include "overlay.hpp"

#include <algorithm>
#include <cmath>

namespace cbir {

std::vector<OverlayLine> inlier_lines(const LocalFeatures& a, const LocalFeatures& b,
                                      const std::vector<LocalMatch>& matches, const Verification& verification) {
  std::vector<OverlayLine> lines;
  for (const std::uint32_t i : verification.inliers) {
    const Keypoint &from = a.keypoints[matches[i].a], &to = b.keypoints[matches[i].b];
    lines.push_back({{from.x, from.y}, {to.x, to.y}});
  }
  return lines;
}

std::vector<OverlayPoint> outline(const Verification& verification, GeometricModel model, int width, int height) {
  if (!verification.transform || model == GeometricModel::fundamental) return {};
  return outline(*verification.transform, width, height);
}

std::vector<OverlayPoint> outline(const std::array<double, 9>& h, int width, int height) {
  std::vector<OverlayPoint> corners;
  double sign = 0;
  for (const auto& [x, y] : {OverlayPoint{0, 0}, {width - 1.0, 0}, {width - 1.0, height - 1.0}, {0, height - 1.0}}) {
    const double w = h[6] * x + h[7] * y + h[8];
    if (std::abs(w) < 1e-9 || w * sign < 0) return {};
    sign = w;
    corners.push_back({(h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w});
  }
  return corners;
}

std::array<std::uint8_t, 3> line_colour(double height_share) {
  const double hue = 6 * std::clamp(height_share, 0.0, 1.0) * .85;  // not all the way round, back to where it began
  std::array<std::uint8_t, 3> out{};
  for (std::size_t c = 0; c < 3; ++c) {
    const double at = std::fmod(hue + (c == 0 ? 0 : c == 1 ? 4 : 2), 6.0);
    const double level = std::clamp(std::abs(at - 3) - 1, 0.0, 1.0);
    out[c] = static_cast<std::uint8_t>(std::lround(40 + 215 * level));
  }
  return out;
}

}  // namespace cbir
