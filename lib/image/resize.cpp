#include <cbir/image/resize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>

#include "resample.hpp"

namespace cbir {
namespace {

struct Kernel {
  double support;
  double (*weight)(double);
};

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear_weight(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

/// Keys' cubic convolution with a = -0.5.
double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x = x * std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos_weight(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {0.5, box_weight};
    case Filter::bilinear:
      return {1.0, bilinear_weight};
    case Filter::lanczos:
      return {3.0, lanczos_weight};
    default:
      return {2.0, bicubic_weight};
  }
}

/// Weights for the output positions [begin, begin + count) of an axis that goes from `in` to `out` positions.
/// The order of the floating-point operations is Pillow's: the fixed-point weights must come out the same.
resample::Axis make_axis(int in, int out, int begin, int count, const Kernel& kernel) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  const double inverse = 1.0 / filter_scale;

  resample::Axis axis;
  axis.taps = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  axis.first.resize(static_cast<std::size_t>(count));
  axis.count.resize(static_cast<std::size_t>(count));
  axis.weights.resize(static_cast<std::size_t>(count) * axis.taps);
  std::vector<double> weights(axis.taps);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const double center = (static_cast<double>(begin) + static_cast<double>(i) + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int taps = std::min(static_cast<int>(center + support + 0.5), in) - first;
    double sum = 0.0;
    for (int tap = 0; tap < taps; ++tap) {
      weights[static_cast<std::size_t>(tap)] = kernel.weight((tap + first - center + 0.5) * inverse);
      sum += weights[static_cast<std::size_t>(tap)];
    }
    for (int tap = 0; tap < taps; ++tap) {
      const double weight =
          sum != 0.0 ? weights[static_cast<std::size_t>(tap)] / sum : weights[static_cast<std::size_t>(tap)];
      const double fixed = weight * (1 << resample::kPrecisionBits);
      axis.weights[i * axis.taps + static_cast<std::size_t>(tap)] =
          static_cast<std::int32_t>(weight < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    axis.first[i] = first;
    axis.count[i] = taps;
  }
  return axis;
}

/// Nearest neighbour as Pillow's affine transform finds it: positions are added up, not multiplied.
std::vector<int> nearest_positions(int in, int out) {
  std::vector<int> positions(static_cast<std::size_t>(out));
  const double step = static_cast<double>(in) / out;
  double position = step * 0.5;
  for (int& p : positions) {
    p = static_cast<int>(position);
    position += step;
  }
  return positions;
}

struct Window {
  int left, top, width, height;
};

Image resize_nearest(const Image& image, int width, int height, const Window& window) {
  const std::vector<int> xs = nearest_positions(image.width, width), ys = nearest_positions(image.height, height);
  Image out(window.width, window.height);
  for (int y = 0; y < window.height; ++y) {
    const int from_y = ys[static_cast<std::size_t>(window.top + y)];
    if (from_y >= image.height) continue;  // the sum overshot: black, as in Pillow
    const std::uint8_t* from = image.row(from_y);
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < window.width; ++x, to += 3) {
      const int from_x = xs[static_cast<std::size_t>(window.left + x)];
      if (from_x < image.width) std::memcpy(to, from + static_cast<std::size_t>(from_x) * 3, 3);
    }
  }
  return out;
}

Image resize_filtered(const Image& image, int width, int height, const Window& window, const Kernel& kernel) {
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  const std::size_t row_bytes = static_cast<std::size_t>(window.width) * 3;
  Image out(window.width, window.height);
  if (height == image.height) {  // one pass is enough
    const resample::Axis x_axis = make_axis(image.width, width, window.left, window.width, kernel);
    resample::horizontal({image.row(window.top), stride}, window.height, x_axis, out.data.data());
    return out;
  }
  const resample::Axis y_axis = make_axis(image.height, height, window.top, window.height, kernel);
  if (width == image.width) {
    const std::uint8_t* corner = image.data.data() + static_cast<std::size_t>(window.left) * 3;
    resample::vertical({corner, stride}, 0, row_bytes, y_axis, out.data.data());
    return out;
  }
  const resample::Axis x_axis = make_axis(image.width, width, window.left, window.width, kernel);
  const int rows = y_axis.end() - y_axis.begin();  // only these are worth a horizontal pass
  const auto between = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(rows) * row_bytes);
  resample::horizontal({image.row(y_axis.begin()), stride}, rows, x_axis, between.get());
  resample::vertical({between.get(), row_bytes}, y_axis.begin(), row_bytes, y_axis, out.data.data());
  return out;
}

void check_sides(int width, int height) {
  if (width < 1 || height < 1) {
    throw UsageError(fmt::format("a picture cannot be {} x {}: both sides must be at least 1", width, height));
  }
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  return resize_window(image, width, height, 0, 0, width, height, filter);
}

Image resize_window(const Image& image, int width, int height, int left, int top, int window_width, int window_height,
                    Filter filter) {
  check_sides(image.width, image.height);
  check_sides(width, height);
  check_sides(window_width, window_height);
  if (width == image.width && height == image.height) return crop(image, left, top, window_width, window_height);

  const auto inside = [](int first, int count, int size) {  // the part of [first, first + count) within [0, size)
    const std::int64_t begin = std::max(first, 0);
    const std::int64_t end = std::min<std::int64_t>(std::int64_t{first} + count, size);
    return std::pair(static_cast<int>(begin), static_cast<int>(std::max<std::int64_t>(end - begin, 0)));
  };
  const auto [x, w] = inside(left, window_width, width);
  const auto [y, h] = inside(top, window_height, height);
  if (w == 0 || h == 0) return Image(window_width, window_height);
  const Window window{x, y, w, h};
  Image part = filter == Filter::nearest ? resize_nearest(image, width, height, window)
                                         : resize_filtered(image, width, height, window, kernel_of(filter));
  if (w == window_width && h == window_height) return part;
  return crop(part, left - x, top - y, window_width, window_height);
}

Image crop(const Image& image, int left, int top, int width, int height) {
  check_sides(width, height);
  Image out(width, height);
  const std::int64_t x0 = std::max<std::int64_t>(left, 0);
  const std::int64_t x1 = std::min<std::int64_t>(std::int64_t{left} + width, image.width);
  const std::int64_t y0 = std::max<std::int64_t>(top, 0);
  const std::int64_t y1 = std::min<std::int64_t>(std::int64_t{top} + height, image.height);
  if (x0 >= x1) return out;
  for (std::int64_t y = y0; y < y1; ++y) {
    std::memcpy(out.row(static_cast<int>(y - top)) + (x0 - left) * 3, image.row(static_cast<int>(y)) + x0 * 3,
                static_cast<std::size_t>(x1 - x0) * 3);
  }
  return out;
}

}  // namespace cbir
