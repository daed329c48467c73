#include "patches.hpp"

#include <ATen/Functions.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace cbir::nets {

SamePadding same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t output = (size + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((output - 1) * stride + kernel - size, 0);
  return {total / 2, total - total / 2, output};
}

at::Tensor first_patches(const std::uint8_t* picture, const Settings& settings, std::int64_t kernel,
                         std::int64_t stride) {
  const std::int64_t size = settings.size;
  const SamePadding pad = same_padding(size, kernel, stride);
  const std::int64_t width = pad.before + size + pad.after, height = width;
  // The normalised, padded picture; the network pads after normalisation, so with zeros.
  thread_local std::vector<float> padded;
  padded.assign(static_cast<std::size_t>(width * height * 3), 0.0F);
  for (std::int64_t y = 0; y < size; ++y) {
    const std::uint8_t* from = picture + y * size * 3;
    float* to = padded.data() + ((y + pad.before) * width + pad.before) * 3;
    for (std::int64_t x = 0; x < size; ++x, from += 3, to += 3)
      for (std::size_t c = 0; c < 3; ++c)
        to[c] = (static_cast<float>(from[c]) - settings.mean[c]) / settings.std_dev[c];
  }
  const std::int64_t row = kernel * 3, depth = kernel * row;
  at::Tensor out = at::empty({1, depth, pad.output, pad.output},
                             at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  float* to = out.data_ptr<float>();
  for (std::int64_t y = 0; y < pad.output; ++y)
    for (std::int64_t x = 0; x < pad.output; ++x)
      for (std::int64_t dy = 0; dy < kernel; ++dy, to += row)
        std::memcpy(to, padded.data() + ((y * stride + dy) * width + x * stride) * 3,
                    static_cast<std::size_t>(row) * sizeof(float));
  return out;
}

}  // namespace cbir::nets
