#include "grid.hpp"

#include <algorithm>
#include <cmath>

namespace cbir {
namespace {

constexpr double kLargest = .8, kNext = .625;  // of the short side; of the size before
constexpr double kSmallest = 2;                // pixels

/// Where boxes of `side` begin along a length, at most half a side apart.
std::vector<double> places(double length, double side) {
  const int count = static_cast<int>(std::ceil((length - side) / (side / 2))) + 1;
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(count == 1 ? 0 : (length - side) * i / (count - 1));
  return out;
}

std::vector<Detection> boxes_of(double width, double height, double side) {
  std::vector<Detection> out;
  for (const double y : places(height, side))
    for (const double x : places(width, side)) out.push_back({.x1 = x, .y1 = y, .x2 = x + side, .y2 = y + side});
  std::ranges::stable_sort(out, {}, [&](const Detection& box) {
    return std::max(std::abs(box.x1 + box.x2 - width), std::abs(box.y1 + box.y2 - height));
  });
  return out;
}

}  // namespace

std::vector<Detection> grid_boxes(int width, int height, std::size_t max) {
  std::vector<Detection> out;
  for (double side = kLargest * std::min(width, height); side >= kSmallest; side *= kNext) {
    std::vector<Detection> more = boxes_of(width, height, side);
    // Of the largest size as many as there may be, so that there is something.
    if (!out.empty() && out.size() + more.size() > max) break;
    more.resize(std::min(more.size(), max));
    for (Detection& box : more) {
      box.confidence = side / std::max(width, height);
      out.push_back(box);
    }
  }
  if (out.empty() && max > 0)
    out.push_back(
        {.x1 = 0, .y1 = 0, .x2 = static_cast<double>(width), .y2 = static_cast<double>(height), .confidence = 1});
  return out;
}

}  // namespace cbir
