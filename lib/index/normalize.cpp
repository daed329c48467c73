#include "lib/index/normalize.hpp"

#include <cmath>

namespace cbir {

double norm(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

VectorState prepare_vector(std::span<float> vector, bool normalize) {
  const double length =
      norm(vector);  // squares of float32 numbers cannot overflow a double: only NaN and infinity show
  if (!std::isfinite(length)) return VectorState::not_finite;
  if (length > kMaxNorm) return VectorState::too_long;
  if (!normalize) return VectorState::fine;
  if (length == 0) return VectorState::zero;
  if (std::abs(length - 1) <= kUnitTolerance) return VectorState::fine;
  for (float& x : vector) x = static_cast<float>(static_cast<double>(x) / length);
  return VectorState::fine;
}

}  // namespace cbir
