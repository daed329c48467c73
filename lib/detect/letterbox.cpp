#include "letterbox.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace cbir {
namespace {

constexpr int kWeightBits = 11;  // INTER_RESIZE_COEF_BITS
constexpr std::uint8_t kGrey = 114;

/// The two pixels that one of the result lies between, and their weights.
struct Tap {
  int first, second;
  int weight_first, weight_second;
};

std::vector<Tap> taps(int from, int to) {
  constexpr float kOne = 1 << kWeightBits;
  const double scale = 1.0 / (static_cast<double>(to) / from);  // as OpenCV computes it
  std::vector<Tap> out(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    auto at = static_cast<float>((i + 0.5) * scale - 0.5);
    int pixel = static_cast<int>(std::floor(at));
    at -= static_cast<float>(pixel);
    // On the border both are the same pixel; its two weights, as OpenCV's, round down by themselves.
    out[static_cast<std::size_t>(i)] = {std::clamp(pixel, 0, from - 1), std::clamp(pixel + 1, 0, from - 1),
                                        static_cast<int>(std::nearbyint((1 - at) * kOne)),
                                        static_cast<int>(std::nearbyint(at * kOne))};
  }
  return out;
}

Image half(const Image& image, int width, int height) {
  Image out(width, height);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t *upper = image.row(2 * y), *lower = image.row(2 * y + 1);
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < width; ++x, upper += 6, lower += 6)
      for (int c = 0; c < 3; ++c)
        *to++ = static_cast<std::uint8_t>((upper[c] + upper[c + 3] + lower[c] + lower[c + 3] + 2) >> 2);
  }
  return out;
}

/// Python's round() of a side: halves to the even number; never nothing of a picture.
int rounded(double side) { return std::max(1, static_cast<int>(std::nearbyint(side))); }

}  // namespace

Image resize_linear(const Image& image, int width, int height) {
  if (width == image.width && height == image.height) return image;
  if (2 * width == image.width && 2 * height == image.height) return half(image, width, height);
  const std::vector<Tap> columns = taps(image.width, width), rows = taps(image.height, height);
  const auto row_numbers = static_cast<std::size_t>(width) * 3;
  // Rows are scaled once each: most are the lower of one row of the result and the upper of the next.
  std::vector<int> upper(row_numbers), lower(row_numbers);
  int upper_row = -1, lower_row = -1;
  const auto scale_row = [&](int y, std::vector<int>& to) {
    const std::uint8_t* from = image.row(y);
    int* out = to.data();
    for (const Tap& tap : columns)
      for (int c = 0; c < 3; ++c)
        *out++ = from[tap.first * 3 + c] * tap.weight_first + from[tap.second * 3 + c] * tap.weight_second;
  };
  Image out(width, height);
  for (int y = 0; y < height; ++y) {
    const Tap& tap = rows[static_cast<std::size_t>(y)];
    if (tap.first != upper_row) {
      if (tap.first == lower_row) {
        upper.swap(lower);
        lower_row = upper_row;
      } else {
        scale_row(tap.first, upper);
      }
      upper_row = tap.first;
    }
    if (tap.second != lower_row) {
      scale_row(tap.second, lower);
      lower_row = tap.second;
    }
    std::uint8_t* to = out.row(y);
    for (std::size_t i = 0; i < row_numbers; ++i)
      to[i] = static_cast<std::uint8_t>(
          (((tap.weight_first * (upper[i] >> 4)) >> 16) + ((tap.weight_second * (lower[i] >> 4)) >> 16) + 2) >> 2);
  }
  return out;
}

Letterboxed letterbox(const Image& image, const LetterboxOptions& options) {
  Letterboxed out;
  const double scale =
      std::min(static_cast<double>(options.width) / image.width, static_cast<double>(options.height) / image.height);
  const int width = std::min(options.width, rounded(image.width * scale)),
            height = std::min(options.height, rounded(image.height * scale));
  int more_columns = options.width - width, more_rows = options.height - height;
  if (!options.square) {
    more_columns %= options.stride;
    more_rows %= options.stride;
  }
  const auto before = [](int more) { return static_cast<int>(std::nearbyint(more / 2.0 - 0.1)); };
  const int left = before(more_columns), top = before(more_rows);
  const Image scaled = resize_linear(image, width, height);
  out.picture = Image(width + more_columns, height + more_rows);
  std::ranges::fill(out.picture.data, kGrey);
  for (int y = 0; y < height; ++y)
    std::copy_n(scaled.row(y), static_cast<std::size_t>(width) * 3, out.picture.row(top + y) + left * 3);
  out.scale = std::min(static_cast<double>(out.picture.width) / image.width,
                       static_cast<double>(out.picture.height) / image.height);
  out.left = (out.picture.width - image.width * out.scale) / 2;
  out.top = (out.picture.height - image.height * out.scale) / 2;
  return out;
}

}  // namespace cbir
