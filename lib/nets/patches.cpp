#include "patches.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <array>

namespace cbir::nets {

SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t output = (size + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((output - 1) * stride + kernel - size, 0);
  return {total / 2, total - total / 2, output};
}

at::Tensor normalised(std::span<const cbir_net_picture> pictures, const Settings& settings) {
  const std::int64_t height = pictures.front().height, width = pictures.front().width;
  at::Tensor out = at::empty({static_cast<std::int64_t>(pictures.size()), 3, height, width},
                             at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  std::array<std::array<float, 256>, 3> table{};  // a value has few: dividing once each is exact and quick
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t value = 0; value < 256; ++value)
      table[c][value] = (static_cast<float>(value) - settings.mean[c]) / settings.std_dev[c];
  float* to = out.data_ptr<float>();
  for (const cbir_net_picture& picture : pictures) {
    const std::uint8_t* from = picture.pixels;
    for (std::int64_t i = 0; i < height * width; ++i, from += 3, to += 3)
      for (std::size_t c = 0; c < 3; ++c) to[c] = table[c][from[c]];
  }
  return out;
}

at::Tensor patches(const at::Tensor& pictures, std::int64_t kernel, std::int64_t stride, const SamePadding& vertical,
                   const SamePadding& horizontal) {
  const std::int64_t count = pictures.size(0), height = pictures.size(2), width = pictures.size(3);
  at::Tensor out = at::empty({count, kernel * kernel * 3, vertical.output, horizontal.output},
                             at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const at::Tensor dense = pictures.contiguous(at::MemoryFormat::ChannelsLast);
  float* to = out.data_ptr<float>();
  const auto row = [&](const float* picture, std::int64_t y, std::int64_t x) {  // kernel pixels from (x, y) on
    const std::int64_t begin = std::clamp<std::int64_t>(-x, 0, kernel);
    const std::int64_t end = y >= 0 && y < height ? std::clamp<std::int64_t>(width - x, begin, kernel) : begin;
    if (end - begin < kernel) std::fill_n(to, kernel * 3, 0.0F);
    if (end > begin) std::copy_n(picture + (y * width + x + begin) * 3, (end - begin) * 3, to + begin * 3);
    to += kernel * 3;
  };
  for (std::int64_t n = 0; n < count; ++n) {
    const float* picture = dense.data_ptr<float>() + n * height * width * 3;
    for (std::int64_t y = 0; y < vertical.output; ++y)
      for (std::int64_t x = 0; x < horizontal.output; ++x)
        for (std::int64_t dy = 0; dy < kernel; ++dy)
          row(picture, y * stride + dy - vertical.before, x * stride - horizontal.before);
  }
  return out;
}

}  // namespace cbir::nets
