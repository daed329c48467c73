#include <cbir/index/vectors.hpp>

#include <fmt/format.h>

#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

double squared_norm(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

double norm(std::span<const float> vector) { return std::sqrt(squared_norm(vector)); }

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

void refuse_vector(const std::string& name, std::size_t row, const std::string& path, VectorState state) {
  const std::string where = fmt::format("{}: row {} ({})", display_path(name), row, display_path(path));
  switch (state) {
    case VectorState::zero:
      throw Incompatible(
          fmt::format("{} is all zeros and has no direction; leave it out, or use --metric dot or l2", where));
    case VectorState::too_long:
      throw DamagedFile(
          fmt::format("{} is longer than {:g}; its scores would overflow; extract the set again", where, kMaxNorm));
    default:
      throw DamagedFile(fmt::format("{} holds a NaN or an infinity; extract the set again", where));
  }
}

}  // namespace cbir
