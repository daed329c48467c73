#include "lib/index/int8.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cbir {

Int8Row quantize_int8(std::span<const float> vector, std::span<std::int8_t> codes, int largest_code) {
  const auto most = static_cast<float>(largest_code);
  float largest = 0;
  for (const float x : vector) largest = std::max(largest, std::abs(x));
  std::fill(codes.begin(), codes.end(), std::int8_t{0});
  // Below this the reciprocal of the scale overflows; such a vector is all residual.
  if (largest < std::numeric_limits<float>::min() * kLargestCode) largest = 0;
  const float scale = largest / most;
  const float inverse = largest > 0 ? most / largest : 0;
  double sum = 0;
  for (std::size_t i = 0; i < vector.size(); ++i) {
    const float code = std::clamp(std::nearbyint(vector[i] * inverse), -most, most);
    codes[i] = static_cast<std::int8_t>(code);
    const double rest = static_cast<double>(vector[i]) - static_cast<double>(scale) * static_cast<double>(code);
    sum += rest * rest;
  }
  // Upwards: the sum of n squares in binary64 is off by less than n 2^-53 of itself, the conversion by 2^-24.
  const double norm = std::sqrt(sum) * (1 + 0x1p-22);
  const auto rounded = static_cast<float>(norm);
  return {scale, std::nextafter(rounded, std::numeric_limits<float>::max())};
}

}  // namespace cbir
