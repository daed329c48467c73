#include "geometry.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace cbir {
namespace {

constexpr double kMaxZoom = 20;     // a side
constexpr double kMaxStretch = 12;  // of one direction against the other
constexpr double kLeastSpread = 2;  // pixels across which inliers lie, in their narrowest direction

/// What the transform makes of a point: x, y, and what they are divided by.
std::array<double, 3> homogeneous(const Transform& h, double x, double y) {
  return {h[0] * x + h[1] * y + h[2], h[3] * x + h[4] * y + h[5], h[6] * x + h[7] * y + h[8]};
}

double distance_to_line(const std::array<double, 3>& line, double x, double y) {
  const double length = std::hypot(line[0], line[1]);
  const double off = std::abs(line[0] * x + line[1] * y + line[2]);
  return length > 0 ? off / length : std::numeric_limits<double>::infinity();
}

Transform transposed(const Transform& t) { return {t[0], t[3], t[6], t[1], t[4], t[7], t[2], t[5], t[8]}; }

/// The lengths of the axes of the ellipse that a small circle at the point becomes; {0, 0} where it is mirrored or at
/// the horizon.
std::array<double, 2> local_scales(const Transform& h, double x, double y) {
  const auto [u, v, w] = homogeneous(h, x, y);
  if (!(std::abs(w) > 0)) return {0, 0};
  const double px = u / w, py = v / w;
  const double a = (h[0] - h[6] * px) / w, b = (h[1] - h[7] * px) / w;
  const double c = (h[3] - h[6] * py) / w, d = (h[4] - h[7] * py) / w;
  const double determinant = a * d - b * c;
  if (!(determinant > 0)) return {0, 0};
  const double squares = a * a + b * b + c * c + d * d;  // of the two lengths together
  const double root = std::sqrt(std::max(0.0, squares * squares / 4 - determinant * determinant));
  const double larger = std::sqrt(squares / 2 + root);
  return {larger, determinant / larger};
}

/// The deviation of points from the line that fits them best, at the widest place: the smaller axis of their spread.
double narrow_spread(std::span<const std::array<double, 2>> points) {
  double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
  const auto n = static_cast<double>(points.size());
  for (const auto& [x, y] : points) mx += x / n, my += y / n;
  for (const auto& [x, y] : points) {
    xx += (x - mx) * (x - mx) / n;
    xy += (x - mx) * (y - my) / n;
    yy += (y - my) * (y - my) / n;
  }
  const double mean = (xx + yy) / 2;
  const double variance = mean - std::sqrt(std::max(0.0, mean * mean - (xx * yy - xy * xy)));
  return 2 * std::sqrt(std::max(0.0, variance));
}

/// Corners of the box around the inliers of the first picture.
std::array<std::array<double, 2>, 4> corners_of(std::span<const PointPair> points,
                                                std::span<const std::uint32_t> inliers) {
  double left = points[inliers[0]].ax, right = left, top = points[inliers[0]].ay, bottom = top;
  for (const std::uint32_t i : inliers) {
    left = std::min(left, points[i].ax);
    right = std::max(right, points[i].ax);
    top = std::min(top, points[i].ay);
    bottom = std::max(bottom, points[i].ay);
  }
  return {{{left, top}, {right, top}, {right, bottom}, {left, bottom}}};
}

}  // namespace

Transform normalised(const Transform& transform) {
  double by = transform[8];
  if (std::abs(by) < 1e-12) {
    by = 0;
    for (const double x : transform) by = std::hypot(by, x);
  }
  Transform out = transform;
  if (by != 0)
    for (double& x : out) x /= by;
  return out;
}

Transform scaled(GeometricModel model, const Transform& transform, double a, double b) {
  // x_b = S_b H S_a^-1 x_a, or x_b' S_b^-1 F S_a^-1 x_a = 0.
  const double rows = model == GeometricModel::fundamental ? 1 / b : b, columns = 1 / a;
  Transform out = transform;
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t j = 0; j < 3; ++j) out[i * 3 + j] *= rows;
    for (std::size_t j = 0; j < 3; ++j) out[j * 3 + i] *= columns;
  }
  return normalised(out);
}

Transform in_whole_pictures(GeometricModel model, const Transform& transform, std::array<int, 2> a,
                            std::array<int, 2> b) {
  // T_b H T_a^-1, or T_b^-T F T_a^-1, where T moves by where the part begins.
  Transform out = transform;
  for (std::size_t i = 0; i < 3; ++i) out[i * 3 + 2] -= out[i * 3] * a[0] + out[i * 3 + 1] * a[1];
  for (std::size_t j = 0; j < 3; ++j) {
    if (model == GeometricModel::fundamental) {
      out[6 + j] -= out[j] * b[0] + out[3 + j] * b[1];
    } else {
      out[j] += out[6 + j] * b[0];
      out[3 + j] += out[6 + j] * b[1];
    }
  }
  return normalised(out);
}

double error_of(GeometricModel model, const Transform& transform, const PointPair& pair) {
  const auto image = homogeneous(transform, pair.ax, pair.ay);
  if (model == GeometricModel::fundamental)
    return std::max(distance_to_line(image, pair.bx, pair.by),
                    distance_to_line(homogeneous(transposed(transform), pair.bx, pair.by), pair.ax, pair.ay));
  if (!(std::abs(image[2]) > 1e-12)) return std::numeric_limits<double>::infinity();
  return std::hypot(image[0] / image[2] - pair.bx, image[1] / image[2] - pair.by);
}

bool is_degenerate(GeometricModel model, const Transform& transform, std::span<const PointPair> points,
                   std::span<const std::uint32_t> inliers) {
  if (inliers.empty() || !std::ranges::all_of(transform, [](double x) { return std::isfinite(x); })) return true;
  std::vector<std::array<double, 2>> in_a, in_b;
  for (const std::uint32_t i : inliers) {
    in_a.push_back({points[i].ax, points[i].ay});
    in_b.push_back({points[i].bx, points[i].by});
  }
  if (narrow_spread(in_a) < kLeastSpread || narrow_spread(in_b) < kLeastSpread) return true;
  if (model == GeometricModel::fundamental) return false;
  int sign = 0;
  for (const auto& [x, y] : corners_of(points, inliers)) {
    const int side = homogeneous(transform, x, y)[2] > 0 ? 1 : -1;
    if (sign != 0 && side != sign) return true;  // the horizon runs through the thing
    sign = side;
    const auto [larger, smaller] = local_scales(transform, x, y);
    if (!(smaller > 1 / kMaxZoom) || larger > kMaxZoom || larger > kMaxStretch * smaller) return true;
  }
  return false;
}

std::size_t distinct_places(std::span<const PointPair> points, std::span<const std::uint32_t> which, double distance) {
  // Places are cells of a grid, so that counting takes one pass; a pair counts if neither of its cells was seen before.
  const auto cell = [&](double x, double y) {
    const auto index = [&](double at) { return static_cast<std::int64_t>(std::floor(at / (2 * distance))); };
    return index(y) * (std::int64_t{1} << 32) + index(x);
  };
  std::unordered_set<std::int64_t> seen_a, seen_b;
  std::size_t count = 0;
  for (const std::uint32_t i : which) {
    const bool fresh_a = seen_a.insert(cell(points[i].ax, points[i].ay)).second;
    const bool fresh_b = seen_b.insert(cell(points[i].bx, points[i].by)).second;
    count += fresh_a && fresh_b;
  }
  return count;
}

std::vector<std::uint32_t> all_of(std::span<const PointPair> points) {
  std::vector<std::uint32_t> out(points.size());
  std::iota(out.begin(), out.end(), std::uint32_t{0});
  return out;
}

}  // namespace cbir
