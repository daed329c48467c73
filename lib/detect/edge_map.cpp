#include "edge_map.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace cbir {
namespace {

/// Sums over 1 4 6 4 1 along rows, then along columns: 256 times a smoothed channel.
std::vector<std::int32_t> smoothed(const Image& image, int channel) {
  const int width = image.width, height = image.height;
  constexpr std::array kWeights = {1, 4, 6, 4, 1};
  const auto size = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  std::vector<std::int32_t> across(size), out(size);
  const auto index = [&](int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  };
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = image.row(y) + channel;
    for (int x = 0; x < width; ++x) {
      std::int32_t sum = 0;
      for (int k = -2; k <= 2; ++k)
        sum += kWeights[static_cast<std::size_t>(k + 2)] * row[3 * std::clamp(x + k, 0, width - 1)];
      across[index(x, y)] = sum;
    }
  }
  for (int y = 0; y < height; ++y)
    for (int k = -2; k <= 2; ++k) {
      const std::int32_t weight = kWeights[static_cast<std::size_t>(k + 2)];
      const std::int32_t* from = across.data() + index(0, std::clamp(y + k, 0, height - 1));
      std::int32_t* to = out.data() + index(0, y);
      for (int x = 0; x < width; ++x) to[x] += weight * from[x];
    }
  return out;
}

struct Gradients {
  std::vector<float> x, y, squared;
};

/// Sobel's operator; zero on the border.
void take_steeper(const std::vector<std::int32_t>& channel, int width, int height, Gradients& out) {
  for (int y = 1; y + 1 < height; ++y) {
    const std::int32_t* row = channel.data() + static_cast<std::ptrdiff_t>(y) * width;
    const std::int32_t *above = row - width, *below = row + width;
    const auto first = static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    for (int x = 1; x + 1 < width; ++x) {
      const auto dx =
          static_cast<float>(above[x + 1] - above[x - 1] + 2 * (row[x + 1] - row[x - 1]) + below[x + 1] - below[x - 1]);
      const auto dy =
          static_cast<float>(below[x - 1] - above[x - 1] + 2 * (below[x] - above[x]) + below[x + 1] - above[x + 1]);
      const float squared = dx * dx + dy * dy;
      const std::size_t i = first + static_cast<std::size_t>(x);
      if (squared <= out.squared[i]) continue;
      out.squared[i] = squared;
      out.x[i] = dx;
      out.y[i] = dy;
    }
  }
}

/// What is left of each number when half of the mean around it is taken off: texture, whose edges lie side by side,
/// stands back behind contours.
void suppress_texture(std::vector<float>& numbers, int width, int height) {
  constexpr int kRadius = 7;
  constexpr double kShare = .5;
  const auto columns = static_cast<std::size_t>(width) + 1;
  std::vector<double> sums(columns * (static_cast<std::size_t>(height) + 1));
  const auto at = [&](int x, int y) -> double& {
    return sums[static_cast<std::size_t>(y) * columns + static_cast<std::size_t>(x)];
  };
  const auto index = [&](int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      at(x + 1, y + 1) = at(x, y + 1) + at(x + 1, y) - at(x, y) + static_cast<double>(numbers[index(x, y)]);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const int left = std::max(0, x - kRadius), right = std::min(width, x + kRadius + 1),
                top = std::max(0, y - kRadius), bottom = std::min(height, y + kRadius + 1);
      const double mean =
          (at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top)) / ((right - left) * (bottom - top));
      float& number = numbers[index(x, y)];
      number = std::max(0.0F, number - static_cast<float>(kShare * mean));
    }
}

}  // namespace

EdgeMap find_edges(const Image& image) {
  const int width = image.width, height = image.height;
  const auto size = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  Gradients gradients{std::vector<float>(size), std::vector<float>(size), std::vector<float>(size)};
  for (int channel = 0; channel < 3; ++channel) take_steeper(smoothed(image, channel), width, height, gradients);

  EdgeMap out{width, height, std::vector<float>(size), std::vector<float>(size)};
  if (size == 0) return out;
  std::vector<float> strength(size);
  for (std::size_t i = 0; i < size; ++i) strength[i] = std::sqrt(gradients.squared[i]);
  suppress_texture(strength, width, height);
  std::vector<float> sorted = strength;
  const auto steep = sorted.begin() + static_cast<std::ptrdiff_t>(size * 99 / 100);
  std::nth_element(sorted.begin(), steep, sorted.end());
  // A picture without contrast has no edges, whatever its noise: a step of one grey value is the least that counts.
  constexpr float kStep = 4 * 256;
  const float scale = 1 / std::max(*steep, kStep);
  for (float& number : strength) number = std::min(1.0F, number * scale);

  constexpr float kPi = std::numbers::pi_v<float>;
  constexpr float kSlope = 0.41421356F;  // tan(22.5 degrees)
  for (int y = 1; y + 1 < height; ++y)
    for (int x = 1; x + 1 < width; ++x) {
      const std::size_t i = out.at(x, y);
      if (strength[i] == 0) continue;
      const float dx = gradients.x[i], dy = gradients.y[i];
      const int step_x = std::abs(dx) < kSlope * std::abs(dy) ? 0 : 1;
      const int step_y = std::abs(dy) < kSlope * std::abs(dx) ? 0 : (dx > 0) == (dy > 0) ? 1 : -1;
      const float before = strength[out.at(x - step_x, y - step_y)], behind = strength[out.at(x + step_x, y + step_y)];
      if (strength[i] < before || strength[i] <= behind) continue;
      out.strength[i] = strength[i];
      float angle = std::atan2(dy, dx);
      if (angle < 0) angle += kPi;
      out.direction[i] = angle >= kPi ? 0 : angle;
    }
  return out;
}

}  // namespace cbir
