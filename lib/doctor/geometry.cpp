/// Attacks that move pixels: crop, shrink, mirror, rotations, perspective.

#include <array>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include <cbir/image/resize.hpp>

#include "parts.hpp"

namespace cbir {
namespace {

/// What shows where the picture has been turned away from.
cv::Scalar draw_ground(Random& random) { return cv::Scalar::all(random.below(2) == 1 ? 255 : 0); }

}  // namespace

Image crop_attack(const Image& image, Strength strength, Random& random) {
  const double kept = by_strength(strength, 0.85, 0.7, 0.5);
  const int width = scaled(image.width, kept), height = scaled(image.height, kept);
  const auto left = static_cast<int>(random.below(static_cast<std::size_t>(image.width - width + 1)));
  const auto top = static_cast<int>(random.below(static_cast<std::size_t>(image.height - height + 1)));
  return crop(image, left, top, width, height);
}

Image shrink_attack(const Image& image, Strength strength, Random&) {
  const double factor = by_strength(strength, 0.75, 0.5, 0.25);
  return resize(image, scaled(image.width, factor), scaled(image.height, factor), Filter::bicubic);
}

Image mirror_attack(const Image& image, Strength, Random&) { return apply_orientation(image, 2); }

/// The canvas grows, so that nothing is cut off.
Image rotate5_attack(const Image& image, Strength strength, Random& random) {
  const double degrees = by_strength(strength, 2.5, 5.0, 10.0) * (random.below(2) == 1 ? 1 : -1);
  const cv::Scalar ground = draw_ground(random);
  const double c = std::cos(degrees * std::numbers::pi / 180), s = std::abs(std::sin(degrees * std::numbers::pi / 180));
  const cv::Size size(static_cast<int>(std::ceil(image.width * c + image.height * s)),
                      static_cast<int>(std::ceil(image.width * s + image.height * c)));
  const double x = (image.width - 1) / 2.0, y = (image.height - 1) / 2.0;
  cv::Mat turn = cv::getRotationMatrix2D(cv::Point2f(static_cast<float>(x), static_cast<float>(y)), degrees, 1);
  turn.at<double>(0, 2) += (size.width - 1) / 2.0 - x;
  turn.at<double>(1, 2) += (size.height - 1) / 2.0 - y;
  Image turned(size.width, size.height);
  cv::warpAffine(view(image), view(turned), turn, size, cv::INTER_LINEAR, cv::BORDER_CONSTANT, ground);
  return turned;
}

Image rotate90_attack(const Image& image, Strength, Random& random) {
  Image turned(image.height, image.width);
  cv::rotate(view(image), view(turned),
             random.below(2) == 1 ? cv::ROTATE_90_CLOCKWISE : cv::ROTATE_90_COUNTERCLOCKWISE);
  return turned;
}

/// As photographed off a wall, from one side: that side's opposite is shorter and nearer, and no corner quite where it
/// should be.
Image perspective_attack(const Image& image, Strength strength, Random& random) {
  const double limit = by_strength(strength, 0.08, 0.16, 0.3);
  const double w = image.width, h = image.height;
  const double shorter = random.between(0.7 * limit, limit), nearer = random.between(limit / 2, limit);
  constexpr std::array<std::array<int, 2>, 4> kCorners = {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
  const std::size_t far_side = random.below(4);  // from corner far_side to the next
  const bool level = far_side % 2 == 0;          // top or bottom
  std::array<cv::Point2f, 4> from, to;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto [right, low] = kCorners[i];
    double x = random.between(0, limit / 4), y = random.between(0, limit / 4);  // inwards
    if (i == far_side || i == (far_side + 1) % 4) {
      (level ? x : y) += shorter / 2;
      (level ? y : x) += nearer;
    }
    from[i] = cv::Point2f(static_cast<float>(right * w), static_cast<float>(low * h));
    to[i] = cv::Point2f(static_cast<float>((right ? 1 - x : x) * w), static_cast<float>((low ? 1 - y : y) * h));
  }
  const cv::Scalar ground = draw_ground(random);
  Image tilted(image.width, image.height);
  cv::warpPerspective(view(image), view(tilted), cv::getPerspectiveTransform(from.data(), to.data()),
                      cv::Size(image.width, image.height), cv::INTER_LINEAR, cv::BORDER_CONSTANT, ground);
  return tilted;
}

}  // namespace cbir
