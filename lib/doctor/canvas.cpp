#include "canvas.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace cbir {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kCapitals = 21;  ///< height of the font's capitals in pixels at scale 1
constexpr int kShift = 4;         ///< bits after the binary point of OpenCV's drawing coordinates

int fixed(double pixels) { return static_cast<int>(std::lround(pixels * (1 << kShift))); }

Colour draw_colour(Random& random, double least, double most) {
  const double r = random.between(least, most), g = random.between(least, most), b = random.between(least, most);
  return {r, g, b};
}

Colour mixed(const Colour& a, const Colour& b, double share) { return a * (1 - share) + b * share; }

void draw_landscape(Canvas& canvas, Random& random) {
  const int w = canvas.width(), h = canvas.height();
  const Colour high = draw_colour(random, 40, 160), low = draw_colour(random, 150, 250);
  for (int y = 0; y < h; ++y) canvas.box({0, double(y), double(w), 1}, mixed(high, low, double(y) / h));
  const double sun_x = random.between(0.15, 0.85) * w, sun_y = random.between(0.12, 0.4) * h;
  canvas.disc({sun_x, sun_y}, random.between(0.05, 0.1) * std::min(w, h), {255, 240, 190});
  const Colour hill = draw_colour(random, 20, 120);
  constexpr int kRanges = 3;
  for (int range = 0; range < kRanges; ++range) {
    const double base = (0.5 + 0.15 * range) * h, rise = random.between(0.05, 0.15) * h;
    const double waves = random.between(1, 4), phase = random.between(0, 2 * std::numbers::pi);
    std::vector<cv::Point2d> line{{double(w), double(h)}, {0, double(h)}};
    for (int i = 0; i <= 64; ++i) {
      const double x = i / 64.0, angle = 2 * std::numbers::pi * waves * x + phase;
      line.emplace_back(x * w, base - rise * (std::sin(angle) + 0.4 * std::sin(2.7 * angle)));
    }
    canvas.polygon(line, mixed(low, hill, (range + 1.0) / kRanges));
  }
}

void draw_forms(Canvas& canvas, Random& random) {
  const double w = canvas.width(), h = canvas.height(), side = std::min(w, h);
  for (int i = 0; i < 14; ++i) {
    const double x = random.between(0, w), y = random.between(0, h), size = random.between(0.06, 0.3) * side;
    const Colour colour = draw_colour(random, 0, 255);
    if (random.below(2) == 1) canvas.disc({x, y}, size / 1.6, colour);
    else canvas.box({x - size / 2, y - size / 2, size, size * random.between(0.4, 1.6)}, colour);
  }
}

void draw_words(Canvas& canvas, Random& random) {
  constexpr std::array<const char*, 8> kWords = {"Keep going", "Summer sale", "50 % off",   "New in town",
                                                 "Good food",  "Open today",  "Home again", "Best of May"};
  const double w = canvas.width(), h = canvas.height();
  const Colour ink = draw_colour(random, 0, 70);
  const std::size_t lines = 2 + random.below(3), first = random.below(kWords.size());
  for (std::size_t i = 0; i < lines; ++i) {
    const std::string words = kWords[(first + i) % kWords.size()];
    const double height = std::min(0.09 * h, 0.8 * w / text_width(words, 1));
    canvas.text(words, (w - text_width(words, height)) / 2, h * (0.25 + 0.6 * double(i) / double(lines)) + height,
                height, ink);
  }
}

}  // namespace

Canvas::Canvas(int width, int height, const Colour& ground) : pixels_(height, width, CV_8UC3, ground) {}

void Canvas::box(const cv::Rect2d& where, const Colour& colour) {
  const cv::Point from(static_cast<int>(std::lround(where.x)), static_cast<int>(std::lround(where.y)));
  const cv::Point to(static_cast<int>(std::lround(where.x + where.width)) - 1,
                     static_cast<int>(std::lround(where.y + where.height)) - 1);
  if (from.x <= to.x && from.y <= to.y) cv::rectangle(pixels_, from, to, colour, cv::FILLED);
}

void Canvas::pill(const cv::Rect2d& where, const Colour& colour) {
  const double radius = std::min(where.width, where.height) / 2;
  disc({where.x + radius, where.y + where.height / 2}, radius, colour);
  disc({where.x + where.width - radius, where.y + where.height / 2}, radius, colour);
  box({where.x + radius, where.y, where.width - 2 * radius, where.height}, colour);
}

void Canvas::disc(cv::Point2d centre, double radius, const Colour& colour) {
  cv::circle(pixels_, {fixed(centre.x), fixed(centre.y)}, std::max(1, fixed(radius)), colour, cv::FILLED, cv::LINE_AA,
             kShift);
}

void Canvas::polygon(const std::vector<cv::Point2d>& corners, const Colour& colour) {
  std::vector<cv::Point> points;
  for (const cv::Point2d& corner : corners) points.emplace_back(fixed(corner.x), fixed(corner.y));
  cv::fillPoly(pixels_, std::vector{points}, colour, cv::LINE_AA, kShift);
}

void Canvas::text(const std::string& text, double left, double base, double height, const Colour& colour) {
  cv::putText(pixels_, text, {static_cast<int>(std::lround(left)), static_cast<int>(std::lround(base))}, kFont,
              height / kCapitals, colour, std::max(1, static_cast<int>(std::lround(height / 9))), cv::LINE_AA);
}

void Canvas::picture(const cv::Mat& picture, const cv::Rect& where) {
  const bool smaller = where.width < picture.cols || where.height < picture.rows;
  cv::Mat place = pixels_(where);
  cv::resize(picture, place, where.size(), 0, 0, smaller ? cv::INTER_AREA : cv::INTER_LINEAR);
}

double text_width(const std::string& text, double height) {
  int below = 0;
  return cv::getTextSize(text, kFont, 1, 1, &below).width * height / kCapitals;
}

cv::Mat draw_scene(cv::Size size, Random& random) {
  const std::size_t kind = random.below(3);
  Canvas canvas(size.width, size.height, draw_colour(random, 150, 255));
  if (kind == 0) draw_landscape(canvas, random);
  else if (kind == 1) draw_forms(canvas, random);
  else draw_words(canvas, random);
  return canvas.pixels();
}

}  // namespace cbir
