#include "input.hpp"

#include <ATen/Functions.h>

namespace cbir::nets {

at::Tensor normalised(std::span<const cbir_net_picture> pictures, const Settings& settings) {
  const std::int64_t height = pictures.front().height, width = pictures.front().width;
  at::Tensor out = at::empty({static_cast<std::int64_t>(pictures.size()), 3, height, width},
                             at::TensorOptions().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  const PixelValues values = pixel_values(settings);
  float* to = out.data_ptr<float>();
  for (const cbir_net_picture& picture : pictures) {
    const std::uint8_t* from = picture.pixels;
    for (std::int64_t i = 0; i < height * width; ++i, from += 3, to += 3)
      for (std::size_t c = 0; c < 3; ++c) to[c] = values[c][from[c]];
  }
  return out;
}

}  // namespace cbir::nets
