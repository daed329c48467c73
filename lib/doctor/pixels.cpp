/// Attacks that leave every pixel where it is: blur, noise, colour, grey, recompress.

#include <opencv2/imgproc.hpp>

#include "parts.hpp"

namespace cbir {

Image blur_attack(const Image& image, Strength strength, Random&) {
  const double sigma = std::max(0.5, short_side(image) * by_strength(strength, 0.005, 0.01, 0.02));
  Image blurred(image.width, image.height);
  cv::GaussianBlur(view(image), view(blurred), cv::Size(), sigma);
  return blurred;
}

Image noise_attack(const Image& image, Strength strength, Random& random) {
  cv::RNG generator(random.next());
  cv::Mat noise(image.height, image.width, CV_16SC3);
  generator.fill(noise, cv::RNG::NORMAL, 0, by_strength(strength, 12.0, 25.0, 50.0));
  Image noisy(image.width, image.height);
  cv::add(view(image), noise, view(noisy), cv::noArray(), CV_8U);
  return noisy;
}

Image colour_attack(const Image& image, Strength strength, Random& random) {
  const double amount = by_strength(strength, 0.12, 0.25, 0.5);
  const int hue = static_cast<int>(std::lround(either_way(random, amount / 4) * 256));
  const double saturation = 1 + either_way(random, 1.5 * amount);
  const double contrast = 1 + either_way(random, amount);
  const double brightness = 128 * either_way(random, amount);

  cv::Mat pixels;
  cv::cvtColor(view(image), pixels, cv::COLOR_RGB2HSV_FULL);
  for (int y = 0; y < pixels.rows; ++y) {
    std::uint8_t* const row = pixels.ptr(y);
    for (int x = 0; x < 3 * pixels.cols; x += 3) {
      row[x] = static_cast<std::uint8_t>(row[x] + hue);  // the circle of hues has 256 steps
      row[x + 1] = cv::saturate_cast<std::uint8_t>(row[x + 1] * saturation);
    }
  }
  Image coloured(image.width, image.height);
  cv::cvtColor(pixels, view(coloured), cv::COLOR_HSV2RGB_FULL);
  view(coloured).convertTo(view(coloured), -1, contrast, 128 * (1 - contrast) + brightness);
  return coloured;
}

Image grey_attack(const Image& image, Strength strength, Random&) {
  cv::Mat grey, three;
  cv::cvtColor(view(image), grey, cv::COLOR_RGB2GRAY);
  cv::cvtColor(grey, three, cv::COLOR_GRAY2RGB);
  constexpr double kPhotocopy = 2.2;
  if (strength == Strength::light) cv::addWeighted(view(image), 0.3, three, 0.7, 0, three);
  if (strength == Strength::strong) three.convertTo(three, -1, kPhotocopy, 128 * (1 - kPhotocopy));
  return to_image(three);
}

Image recompress_attack(const Image& image, Strength strength, Random&) {
  return decode_image(encode_jpeg(image, recompression_quality(strength)));
}

}  // namespace cbir
