#include "deformable.hpp"

#include <ATen/Functions.h>

#include <algorithm>

#include "sampling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kSide = 3;

/// What the nine moved pixels hold, for each pixel: (height x width) x (9 in).
at::Tensor moved_pixels(const at::Tensor& x, const at::Tensor& offsets) {
  const FeatureMap map(x);
  const std::int64_t places = kSide * kSide;
  const float most = static_cast<float>(std::max(map.width, map.height)) / 4;
  const at::Tensor out = at::zeros({map.height * map.width, places * map.channels});
  float* to = out.data_ptr<float>();
  const float* offset = offsets.data_ptr<float>();
  for (std::int64_t row = 0; row < map.height; ++row)
    for (std::int64_t column = 0; column < map.width; ++column)
      for (std::int64_t place = 0; place < places; ++place, offset += 2, to += map.channels) {
        const float down = std::clamp(offset[0], -most, most), right = std::clamp(offset[1], -most, most);
        add_bilinear(map, static_cast<float>(column + place % kSide - 1) + right,
                     static_cast<float>(row + place / kSide - 1) + down, {to, static_cast<std::size_t>(map.channels)});
      }
  return out;
}

}  // namespace

at::Tensor by_place(const at::Tensor& weight) {
  return weight.permute({0, 2, 3, 1}).reshape({weight.size(0), weight.numel() / weight.size(0)});
}

DeformableConv::DeformableConv(const ConvSpec& offsets, const ConvSpec& sum)
    : offsets_(offsets), sum_({by_place(sum.weight), sum.bias, sum.activation}) {}

at::Tensor DeformableConv::operator()(const at::Tensor& x, const at::Tensor& residual) const {
  const std::int64_t height = x.size(2), width = x.size(3);
  const at::Tensor offsets = offsets_(x).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor columns = moved_pixels(x.contiguous(at::MemoryFormat::ChannelsLast), offsets);
  // In channels-last order pixels are rows of a matrix.
  const at::Tensor sum = residual.defined()
                             ? sum_(columns, residual.permute({0, 2, 3, 1}).reshape({height * width, residual.size(1)}))
                             : sum_(columns);
  return sum.view({1, height, width, sum.size(1)}).permute({0, 3, 1, 2});
}

}  // namespace cbir::nets
