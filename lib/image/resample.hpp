#pragma once
/// The two passes of a separable resampling, on 8-bit RGB. Inside the image module only.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cbir::resample {

inline constexpr int kPrecisionBits = 32 - 8 - 2;  ///< of a weight: 8 for the sample, 2 for over- and undershoot
inline constexpr int kHalf = 1 << (kPrecisionBits - 1);

/// For each output position of one axis the input positions that it takes, and their weights in fixed point.
struct Axis {
  std::size_t taps = 0;  ///< room for weights of each position
  std::vector<int> first;
  std::vector<int> count;
  std::vector<std::int32_t> weights;  ///< position i: weights[i * taps], count[i] of them

  int size() const { return static_cast<int>(first.size()); }
  int begin() const { return first.front(); }              ///< first input position that is used
  int end() const { return first.back() + count.back(); }  ///< one past the last
  const std::int32_t* weights_of(int i) const { return weights.data() + static_cast<std::size_t>(i) * taps; }
};

/// Rows of bytes; `stride` bytes from one to the next.
struct Rows {
  const std::uint8_t* data;
  std::size_t stride;
};

/// out (rows x axis.size() x 3, no gaps) = `rows` rows of `in`, resampled along x.
void horizontal(Rows in, int rows, const Axis& axis, std::uint8_t* out);
void horizontal_scalar(Rows in, int rows, const Axis& axis, std::uint8_t* out);

/// out (axis.size() x row_bytes, no gaps) = `in` resampled along y, where in's row 0 is input position `origin`.
void vertical(Rows in, int origin, std::size_t row_bytes, const Axis& axis, std::uint8_t* out);
void vertical_scalar(Rows in, int origin, std::size_t row_bytes, const Axis& axis, std::uint8_t* out);

}  // namespace cbir::resample
