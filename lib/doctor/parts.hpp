#pragma once
/// The attacks' functions, and what they share. See attacks.cpp for what each does.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <opencv2/core.hpp>

#include <cbir/doctor/attacks.hpp>

namespace cbir {

template <typename T>
T by_strength(Strength strength, T light, T medium, T strong) {
  return strength == Strength::light ? light : strength == Strength::medium ? medium : strong;
}

/// A share of a length in whole pixels, at least one.
inline int scaled(int length, double factor) { return std::max(1, static_cast<int>(std::lround(length * factor))); }

inline int short_side(const Image& image) { return std::min(image.width, image.height); }

/// The picture's own pixels as OpenCV has them: RGB, 8 bits.
inline cv::Mat view(Image& image) { return {image.height, image.width, CV_8UC3, image.data.data()}; }

/// The same for reading: OpenCV's matrices know no const.
inline cv::Mat view(const Image& image) {
  return {image.height, image.width, CV_8UC3, const_cast<std::uint8_t*>(image.data.data())};
}

inline Image to_image(const cv::Mat& pixels) {
  Image image(pixels.cols, pixels.rows);
  pixels.copyTo(view(image));
  return image;
}

/// Either sign, and a size from half of `limit` up to it, so that it always shows.
inline double either_way(Random& random, double limit) {
  const double size = random.between(limit / 2, limit);
  return random.below(2) == 1 ? size : -size;
}

Image blur_attack(const Image& image, Strength strength, Random& random);
Image border_attack(const Image& image, Strength strength, Random& random);
Image collage_attack(const Image& image, Strength strength, Random& random);
Image colour_attack(const Image& image, Strength strength, Random& random);
Image crop_attack(const Image& image, Strength strength, Random& random);
Image grey_attack(const Image& image, Strength strength, Random& random);
Image logo_attack(const Image& image, Strength strength, Random& random);
Image mirror_attack(const Image& image, Strength strength, Random& random);
Image noise_attack(const Image& image, Strength strength, Random& random);
Image perspective_attack(const Image& image, Strength strength, Random& random);
Image recompress_attack(const Image& image, Strength strength, Random& random);
Image rotate5_attack(const Image& image, Strength strength, Random& random);
Image rotate90_attack(const Image& image, Strength strength, Random& random);
Image screenshot_attack(const Image& image, Strength strength, Random& random);
Image shrink_attack(const Image& image, Strength strength, Random& random);
Image watermark_attack(const Image& image, Strength strength, Random& random);

}  // namespace cbir
