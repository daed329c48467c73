/// The passes in their plainest form: what resample_simd.cpp is tested against.
#include "resample.hpp"

#include <algorithm>

namespace cbir::resample {
namespace {

std::uint8_t to_byte(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

}  // namespace

void horizontal_scalar(Rows in, int rows, const Axis& axis, std::uint8_t* out) {
  for (int y = 0; y < rows; ++y) {
    const std::uint8_t* row = in.data + static_cast<std::size_t>(y) * in.stride;
    for (int x = 0; x < axis.size(); ++x) {
      const std::uint8_t* pixel = row + static_cast<std::size_t>(axis.first[static_cast<std::size_t>(x)]) * 3;
      const std::int32_t* weights = axis.weights_of(x);
      for (int channel = 0; channel < 3; ++channel) {
        std::int32_t sum = kHalf;
        for (int tap = 0; tap < axis.count[static_cast<std::size_t>(x)]; ++tap) {
          sum += pixel[tap * 3 + channel] * weights[tap];
        }
        *out++ = to_byte(sum);
      }
    }
  }
}

void vertical_scalar(Rows in, int origin, std::size_t row_bytes, const Axis& axis, std::uint8_t* out) {
  for (int y = 0; y < axis.size(); ++y) {
    const std::uint8_t* top =
        in.data + static_cast<std::size_t>(axis.first[static_cast<std::size_t>(y)] - origin) * in.stride;
    const std::int32_t* weights = axis.weights_of(y);
    for (std::size_t i = 0; i < row_bytes; ++i) {
      std::int32_t sum = kHalf;
      for (int tap = 0; tap < axis.count[static_cast<std::size_t>(y)]; ++tap) {
        sum += top[static_cast<std::size_t>(tap) * in.stride + i] * weights[tap];
      }
      *out++ = to_byte(sum);
    }
  }
}

}  // namespace cbir::resample
