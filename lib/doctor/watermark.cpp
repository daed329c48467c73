#include "watermark.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "parts.hpp"

namespace cbir {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_DUPLEX;
constexpr double kCanvasScale = 4;  ///< the text is drawn this large, then warped to its size, which smooths it
constexpr int kStroke = 11, kOutline = 23, kMargin = 32;

/// Coverage of letters and of letters with outline, drawn level.
struct Lettering {
  cv::Mat fill, outline;
};

Lettering draw_letters(const std::string& text) {
  int below = 0;
  const cv::Size size = cv::getTextSize(text, kFont, kCanvasScale, kStroke, &below);
  const cv::Size canvas(size.width + 2 * kMargin, size.height + below + 2 * kMargin);
  const cv::Point origin(kMargin, kMargin + size.height);
  Lettering letters{cv::Mat::zeros(canvas, CV_8U), cv::Mat::zeros(canvas, CV_8U)};
  cv::putText(letters.fill, text, origin, kFont, kCanvasScale, 255, kStroke, cv::LINE_AA);
  cv::putText(letters.outline, text, origin, kFont, kCanvasScale, 255, kOutline, cv::LINE_AA);
  return letters;
}

/// Length of the line through the centre of a width x height rectangle, inside it, at `angle`.
double chord(double width, double height, double angle) {
  const double c = std::abs(std::cos(angle)), s = std::abs(std::sin(angle));
  return std::min(c > 0 ? width / c : INFINITY, s > 0 ? height / s : INFINITY);
}

/// A canvas of `from` becomes `factor` as large, turned by `angle`, its centre moved to `centre`.
cv::Mat placement(cv::Size from, double factor, double angle, cv::Point2d centre) {
  const double a = factor * std::cos(angle), b = factor * std::sin(angle);
  const double x = from.width / 2.0, y = from.height / 2.0;
  return (cv::Mat_<double>(2, 3) << a, -b, centre.x - a * x + b * y, b, a, centre.y - b * x - a * y);
}

/// White letters with a dark outline, legible on light and dark ground alike.
void blend(Image& image, const cv::Mat& fill, const cv::Mat& outline, double opacity) {
  const int alpha = static_cast<int>(std::lround(opacity * 256));
  for (int y = 0; y < image.height; ++y) {
    std::uint8_t* pixels = image.row(y);
    for (int x = 0; x < image.width * 3; ++x) {
      const int covered = outline.at<std::uint8_t>(y, x / 3), white = fill.at<std::uint8_t>(y, x / 3);
      const int colour = covered ? std::min(255, 255 * white / covered) : 0;
      pixels[x] = static_cast<std::uint8_t>(pixels[x] + (colour - pixels[x]) * covered * alpha / (255 * 256));
    }
  }
}

}  // namespace

Image draw_watermark(const Image& image, const Watermark& mark) {
  const double diagonal = std::atan2(image.height, image.width);
  const double angle = (mark.rising ? -diagonal : diagonal) + mark.tilt * std::numbers::pi / 180;
  Lettering letters = draw_letters(mark.text);
  const double length = mark.span * chord(image.width, image.height, angle);
  const double factor = length / letters.fill.cols;
  if (factor < 0.5) {  // averaged before sampling, so that thin strokes keep their weight
    const cv::Size smaller(std::max(1, static_cast<int>(letters.fill.cols * factor * 2)),
                           std::max(1, static_cast<int>(letters.fill.rows * factor * 2)));
    cv::resize(letters.fill, letters.fill, smaller, 0, 0, cv::INTER_AREA);
    cv::resize(letters.outline, letters.outline, smaller, 0, 0, cv::INTER_AREA);
  }
  const double scale = length / letters.fill.cols;
  const double spacing = 1.3 * letters.fill.rows * scale;

  cv::Mat fill = cv::Mat::zeros(image.height, image.width, CV_8U), outline = fill.clone();
  for (int line = -(mark.lines / 2); line <= mark.lines / 2; ++line) {
    const cv::Point2d centre(image.width / 2.0 - line * spacing * std::sin(angle),
                             image.height / 2.0 + line * spacing * std::cos(angle));
    const cv::Mat place = placement(letters.fill.size(), scale, angle, centre);
    cv::Mat warped;
    cv::warpAffine(letters.fill, warped, place, fill.size(), cv::INTER_LINEAR);
    fill = cv::max(fill, warped);
    cv::warpAffine(letters.outline, warped, place, outline.size(), cv::INTER_LINEAR);
    outline = cv::max(outline, warped);
  }
  Image marked = image;
  blend(marked, fill, outline, mark.opacity);
  return marked;
}

Image watermark_attack(const Image& image, Strength strength, Random& random) {
  constexpr std::array<const char*, 6> kTexts = {"SAMPLE",    "PREVIEW",         "STOCK PHOTO",
                                                 "COPYRIGHT", "www.example.com", "(c) 2024 Example"};
  Watermark mark;
  mark.text = kTexts[random.below(kTexts.size())];
  mark.opacity = by_strength(strength, 0.3, 0.5, 0.7);
  mark.span = by_strength(strength, 0.6, 0.85, 0.65);
  mark.lines = by_strength(strength, 1, 1, 3);
  mark.rising = random.below(2) == 1;
  mark.tilt = random.between(-5, 5);
  return draw_watermark(image, mark);
}

}  // namespace cbir
