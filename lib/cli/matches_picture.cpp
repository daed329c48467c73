/// Matches drawn into a picture.

#include <algorithm>
#include <cmath>

#include <cbir/cli/matches.hpp>
#include <cbir/image/resize.hpp>

#include "overlay.hpp"

namespace cbir {
namespace {

constexpr int kGap = 8, kMaxSide = 1600;
constexpr double kLineWidth = 1.3, kOutlineWidth = 3, kDot = 3.2;

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kGround = {24, 25, 28}, kOutline = {255, 210, 40};

void blend(Image& image, int x, int y, const Colour& colour, double share) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height || share <= 0) return;
  std::uint8_t* pixel = image.row(y) + static_cast<std::ptrdiff_t>(x) * 3;
  for (std::size_t c = 0; c < 3; ++c)
    pixel[c] = static_cast<std::uint8_t>(std::lround(pixel[c] + (colour[c] - pixel[c]) * std::min(1.0, share)));
}

/// Walks along the longer direction; across it a pixel is covered by as much as it is near the middle.
void draw_line(Image& image, OverlayPoint a, OverlayPoint b, const Colour& colour, double width) {
  const bool steep = std::abs(b.y - a.y) > std::abs(b.x - a.x);
  if (steep) std::swap(a.x, a.y), std::swap(b.x, b.y);
  if (a.x > b.x) std::swap(a, b);
  const double slope = b.x > a.x ? (b.y - a.y) / (b.x - a.x) : 0;
  const double half = width / 2 * std::sqrt(1 + slope * slope);
  const int last_pixel = steep ? image.height - 1 : image.width - 1;
  const int first = static_cast<int>(std::floor(std::clamp(a.x, -1.0, last_pixel + 1.0)));
  const int last = static_cast<int>(std::ceil(std::clamp(b.x, -1.0, last_pixel + 1.0)));
  for (int along = first; along <= last; ++along) {
    const double middle = a.y + slope * (along - a.x);
    if (!(std::abs(middle) < 1e6)) continue;
    for (int across = static_cast<int>(std::floor(middle - half - 1)); across <= middle + half + 1; ++across) {
      const double share = half + .5 - std::abs(across - middle);
      blend(image, steep ? across : along, steep ? along : across, colour, share);
    }
  }
}

void draw_dot(Image& image, const OverlayPoint& at, const Colour& colour) {
  const auto low = [](double x) { return static_cast<int>(std::floor(x - kDot - 1)); };
  const auto high = [](double x) { return static_cast<int>(std::ceil(x + kDot + 1)); };
  for (int y = low(at.y); y <= high(at.y); ++y)
    for (int x = low(at.x); x <= high(at.x); ++x)
      blend(image, x, y, colour, kDot + .5 - std::hypot(x - at.x, y - at.y));
}

/// At most kMaxSide pixels long; returns by how much it was made smaller.
double fit(Image& image) {
  const double factor = std::min(1.0, static_cast<double>(kMaxSide) / std::max(image.width, image.height));
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * factor))); };
  if (factor < 1) image = resize(image, scaled(image.width), scaled(image.height), Filter::bicubic);
  return factor;
}

void paste(Image& into, const Image& what, int left) {
  for (int y = 0; y < what.height; ++y)
    std::copy_n(what.row(y), static_cast<std::ptrdiff_t>(what.width) * 3,
                into.row(y) + static_cast<std::ptrdiff_t>(left) * 3);
}

}  // namespace

Image draw_matches(const MatchedPair& pair, GeometricModel model, const Image& a, const Image& b) {
  Image left = a, right = b;
  const double of_a = fit(left), of_b = fit(right);
  const auto corners = outline(pair.verification, model, a.width, a.height);
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const OverlayPoint from = corners[i], to = corners[(i + 1) % corners.size()];
    draw_line(right, {from.x * of_b, from.y * of_b}, {to.x * of_b, to.y * of_b}, kOutline, kOutlineWidth);
  }
  const int offset = left.width + kGap;
  Image out(offset + right.width, std::max(left.height, right.height));
  for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] = kGround[i % 3];
  paste(out, left, 0);
  paste(out, right, offset);
  const auto in_a = [&](const OverlayPoint& at) { return OverlayPoint{at.x * of_a, at.y * of_a}; };
  const auto in_b = [&](const OverlayPoint& at) { return OverlayPoint{at.x * of_b + offset, at.y * of_b}; };
  const auto lines = inlier_lines(*pair.a, *pair.b, pair.matches, pair.verification);
  for (const OverlayLine& line : lines)
    draw_line(out, in_a(line.a), in_b(line.b), line_colour(line.a.y / std::max(1, a.height)), kLineWidth);
  for (const OverlayLine& line : lines) {
    const Colour colour = line_colour(line.a.y / std::max(1, a.height));
    draw_dot(out, in_a(line.a), colour);
    draw_dot(out, in_b(line.b), colour);
  }
  return out;
}

}  // namespace cbir
