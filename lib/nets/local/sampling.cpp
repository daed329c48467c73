#include "sampling.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace cbir::nets {
namespace {

void add(std::span<float> out, const float* values, float weight) {
  for (std::size_t c = 0; c < out.size(); ++c) out[c] += weight * values[c];
}

/// Of the four pixels around a place that lies `t` behind the second one.
std::array<float, 4> cubic_weights(float t) {
  constexpr float a = -0.75F;
  const auto near = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

}  // namespace

FeatureMap::FeatureMap(const at::Tensor& tensor)
    : data(tensor.data_ptr<float>()), width(tensor.size(3)), height(tensor.size(2)), channels(tensor.size(1)) {
  TORCH_CHECK(tensor.size(0) == 1 && tensor.is_contiguous(at::MemoryFormat::ChannelsLast), "a map in another order");
}

void add_bilinear(const FeatureMap& map, float x, float y, std::span<float> out) {
  const float left = std::floor(x), top = std::floor(y), tx = x - left, ty = y - top;
  const auto x0 = static_cast<std::int64_t>(left), y0 = static_cast<std::int64_t>(top);
  const auto corner = [&](std::int64_t dx, std::int64_t dy) {
    if (!map.inside(x0 + dx, y0 + dy)) return;
    add(out, map.at(x0 + dx, y0 + dy), (dx ? tx : 1 - tx) * (dy ? ty : 1 - ty));
  };
  corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1);
}

void add_bicubic(const FeatureMap& map, float x, float y, std::span<float> out) {
  const float left = std::floor(x), top = std::floor(y);
  const auto x0 = static_cast<std::int64_t>(left) - 1, y0 = static_cast<std::int64_t>(top) - 1;
  const auto across = cubic_weights(x - left), down = cubic_weights(y - top);
  for (std::int64_t j = 0; j < 4; ++j)
    for (std::int64_t i = 0; i < 4; ++i)
      if (map.inside(x0 + i, y0 + j))
        add(out, map.at(x0 + i, y0 + j), across[static_cast<std::size_t>(i)] * down[static_cast<std::size_t>(j)]);
}

void normalise(std::span<float> vector) {
  constexpr float kLeast = 1e-12F;
  float squares = 0;
  for (const float v : vector) squares += v * v;
  const float length = std::max(std::sqrt(squares), kLeast);
  for (float& v : vector) v /= length;
}

void normalise_rows(const at::Tensor& rows, std::int64_t dimension) {
  float* row = rows.data_ptr<float>();
  for (float* const end = row + rows.numel(); row != end; row += dimension)
    normalise({row, static_cast<std::size_t>(dimension)});
}

}  // namespace cbir::nets
