#pragma once
/// Two pictures of one thing, without pictures: features at places that a known transform relates.

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include <cbir/local/local.hpp>

namespace fixture {

inline constexpr int kSide = 600;

using Transform = std::array<double, 9>;

/// Turned, smaller, and tilted a little.
inline constexpr Transform kTilted = {.8, -.2, 120, .25, .75, 30, 1e-4, 2e-4, 1};

inline std::array<float, 2> apply(const Transform& h, double x, double y) {
  const double w = h[6] * x + h[7] * y + h[8];
  return {static_cast<float>((h[0] * x + h[1] * y + h[2]) / w), static_cast<float>((h[3] * x + h[4] * y + h[5]) / w)};
}

struct Scene {
  cbir::LocalFeatures a{.width = kSide, .height = kSide}, b{.width = kSide, .height = kSide};
  std::vector<cbir::LocalMatch> matches;
};

/// `right` matches that the transform explains up to `noise` pixels, and `wrong` ones between any two places.
inline Scene scene(const Transform& transform, std::size_t right, std::size_t wrong, double noise = .5,
                   unsigned seed = 1) {
  std::mt19937 generator(seed);
  const auto uniform = [&](double to) { return to * static_cast<double>(generator()) / 4294967296.0; };
  Scene out;
  for (std::uint32_t i = 0; i < right + wrong; ++i) {
    const auto x = static_cast<float>(uniform(kSide)), y = static_cast<float>(uniform(kSide));
    auto [u, v] = i < right ? apply(transform, x, y)
                            : std::array{static_cast<float>(uniform(kSide)), static_cast<float>(uniform(kSide))};
    u += static_cast<float>(uniform(2 * noise) - noise);
    v += static_cast<float>(uniform(2 * noise) - noise);
    out.a.keypoints.push_back({.x = x, .y = y});
    out.b.keypoints.push_back({.x = u, .y = v});
    out.matches.push_back({i, i, .5F});
  }
  return out;
}

}  // namespace fixture
