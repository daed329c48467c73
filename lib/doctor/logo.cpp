/// An emblem in a corner, as channels and agencies put it.

#include <array>
#include <numbers>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "canvas.hpp"
#include "parts.hpp"

namespace cbir {
namespace {

constexpr int kSide = 256;  ///< emblems are drawn this large, then made smaller, which smooths them

struct Emblem {
  cv::Mat colour, coverage;
};

std::vector<cv::Point2d> star(cv::Point2d centre, double radius) {
  std::vector<cv::Point2d> corners;
  for (int i = 0; i < 10; ++i) {
    const double angle = std::numbers::pi * (i / 5.0 - 0.5), r = i % 2 == 0 ? radius : 0.42 * radius;
    corners.emplace_back(centre.x + r * std::cos(angle), centre.y + r * std::sin(angle));
  }
  return corners;
}

void centred_text(Canvas& canvas, const std::string& text, double width, const Colour& colour) {
  const double height = std::min(width / text_width(text, 1), 0.4 * kSide);
  canvas.text(text, (kSide - text_width(text, height)) / 2, (kSide + height) / 2, height, colour);
}

Emblem draw_emblem(Random& random) {
  const std::array<Colour, 5> grounds = {Colour(200, 24, 32), Colour(20, 60, 150), Colour(16, 16, 16),
                                         Colour(250, 190, 20), Colour(24, 130, 70)};
  constexpr std::array<const char*, 5> kNames = {"NEWS", "TV7", "PIX", "LIVE", "A1"};
  const Colour ground = grounds[random.below(grounds.size())], ink = ground[0] > 240 ? grey_of(20) : grey_of(255);
  const std::string name = kNames[random.below(kNames.size())];
  const std::size_t form = random.below(3);

  constexpr double kMiddle = kSide / 2.0;
  Canvas colour(kSide, kSide, ground), coverage(kSide, kSide, grey_of(0));
  if (form == 0) {  // a box with a name
    coverage.pill({0, 0.26 * kSide, kSide, 0.48 * kSide}, grey_of(255));
    centred_text(colour, name, 0.72 * kSide, ink);
  } else {  // a disc in a ring, with a star or a name
    coverage.disc({kMiddle, kMiddle}, kMiddle - 1, grey_of(255));
    colour.disc({kMiddle, kMiddle}, 0.44 * kSide, ink);
    colour.disc({kMiddle, kMiddle}, 0.39 * kSide, ground);
    if (form == 1) colour.polygon(star({kMiddle, kMiddle}, 0.32 * kSide), ink);
    else centred_text(colour, name, 0.56 * kSide, ink);
  }
  return {colour.pixels(), coverage.pixels()};
}

}  // namespace

Image logo_attack(const Image& image, Strength strength, Random& random) {
  const int side = scaled(short_side(image), by_strength(strength, 0.2, 0.35, 0.55));
  const int margin = std::min(scaled(short_side(image), 0.03), short_side(image) - side);
  const bool right = random.below(2) == 1, low = random.below(2) == 1;
  const Emblem emblem = draw_emblem(random);
  cv::Mat colour, coverage;
  cv::resize(emblem.colour, colour, cv::Size(side, side), 0, 0, cv::INTER_AREA);
  cv::resize(emblem.coverage, coverage, cv::Size(side, side), 0, 0, cv::INTER_AREA);

  Image marked = image;
  cv::Mat place = view(marked)(
      cv::Rect(right ? image.width - side - margin : margin, low ? image.height - side - margin : margin, side, side));
  cv::Mat inverse, kept, added;
  cv::subtract(cv::Scalar::all(255), coverage, inverse);
  cv::multiply(place, inverse, kept, 1 / 255.0);
  cv::multiply(colour, coverage, added, 1 / 255.0);
  cv::add(kept, added, place);
  return marked;
}

}  // namespace cbir
