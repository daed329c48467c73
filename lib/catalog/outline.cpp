#include "outline.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace cbir {
namespace {

struct Point {
  double x, y;
};

/// Twice the area of the triangle, positive if it turns as (0, 0), (1, 0), (1, 1) does.
double turn(const Point& a, const Point& b, const Point& c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

double distance(const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y); }

constexpr double kLeastSide = 8;      // pixels
constexpr double kMostSqueezed = 10;  // how much one side is made smaller than the other
constexpr double kLeastInside = .2;   // share of the outline's box

}  // namespace

double area(const Box& box) { return std::max(0., box.x2 - box.x1) * std::max(0., box.y2 - box.y1); }

double shared_area(const Box& a, const Box& b) {
  return area({std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)});
}

double box_iou(const Box& a, const Box& b) {
  const double shared = shared_area(a, b), all = area(a) + area(b) - shared;
  return all > 0 ? shared / all : 0;
}

std::optional<Box> seen_box(const std::array<double, 9>& transform, int width, int height, int seen_width,
                            int seen_height) {
  const double w = width, h = height;
  const std::array<Point, 4> corners = {{{0, 0}, {w, 0}, {w, h}, {0, h}}};
  std::array<Point, 4> seen{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const auto& [x, y] = corners[i];
    const double depth = transform[6] * x + transform[7] * y + transform[8];
    if (depth <= 0) return {};  // behind the camera
    seen[i] = {(transform[0] * x + transform[1] * y + transform[2]) / depth,
               (transform[3] * x + transform[4] * y + transform[5]) / depth};
    if (!std::isfinite(seen[i].x) || !std::isfinite(seen[i].y)) return {};
  }
  Box box{seen[0].x, seen[0].y, seen[0].x, seen[0].y};
  double least = 0, most = 0;  // how much sides are stretched
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const Point &a = seen[i], &b = seen[(i + 1) % 4], &c = seen[(i + 2) % 4];
    if (turn(a, b, c) <= 0) return {};  // convex, and the same way round as the item
    const double side = distance(a, b), stretch = side / distance(corners[i], corners[(i + 1) % 4]);
    if (side < kLeastSide) return {};
    least = i == 0 ? stretch : std::min(least, stretch);
    most = i == 0 ? stretch : std::max(most, stretch);
    box = {std::min(box.x1, a.x), std::min(box.y1, a.y), std::max(box.x2, a.x), std::max(box.y2, a.y)};
  }
  if (most > kMostSqueezed * least) return {};
  const Box inside{std::max(box.x1, 0.), std::max(box.y1, 0.), std::min(box.x2, static_cast<double>(seen_width)),
                   std::min(box.y2, static_cast<double>(seen_height))};
  if (area(inside) < kLeastInside * area(box)) return {};
  return inside;
}

}  // namespace cbir
