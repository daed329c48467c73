/// Both passes for every instruction set that Highway knows, chosen at run time.
///
/// One kernel serves both. The vertical pass adds weighted rows, so its lanes are neighbouring bytes. The horizontal
/// pass would waste lanes on three interleaved channels; instead 16 rows are transposed, so that the 48 bytes of one
/// column (3 channels x 16 rows) lie side by side, and adding weighted columns is the vertical pass again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/image/resample_simd.cpp"

#include "lib/base/kernels.hpp"  // before the rest

#include <algorithm>
#include <cstring>
#include <memory>

#include "resample.hpp"

HWY_BEFORE_NAMESPACE();
namespace cbir::resample {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
constexpr std::size_t kStrip = 16;           // rows of a transposed strip, and the side of a transposed tile
constexpr std::size_t kColumn = 3 * kStrip;  // bytes of one column of pixels in it

using D32 = hn::CappedTag<std::int32_t, 16>;

template <class V>
HWY_INLINE void store_bytes(V sum, std::uint8_t* out) {
  const hn::Rebind<std::uint8_t, D32> d8;
  hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kPrecisionBits>(sum)), d8, out);
}

/// out[0..bytes) = the sum over taps of in[tap * stride + ..] * weights[tap], rounded and clipped.
HWY_INLINE void weighted_sum(const std::uint8_t* HWY_RESTRICT in, std::size_t stride,
                             const std::int32_t* HWY_RESTRICT weights, int taps, std::size_t bytes,
                             std::uint8_t* HWY_RESTRICT out) {
  const D32 d;
  const hn::Rebind<std::uint8_t, D32> d8;
  const std::size_t lanes = hn::Lanes(d);
  const auto half = hn::Set(d, kHalf);
  std::size_t i = 0;
  for (; i + 3 * lanes <= bytes; i += 3 * lanes) {
    auto a = half, b = half, c = half;
    const std::uint8_t* from = in + i;
    for (int tap = 0; tap < taps; ++tap, from += stride) {
      const auto weight = hn::Set(d, weights[tap]);
      a = hn::Add(a, hn::Mul(hn::PromoteTo(d, hn::LoadU(d8, from)), weight));
      b = hn::Add(b, hn::Mul(hn::PromoteTo(d, hn::LoadU(d8, from + lanes)), weight));
      c = hn::Add(c, hn::Mul(hn::PromoteTo(d, hn::LoadU(d8, from + 2 * lanes)), weight));
    }
    store_bytes(a, out + i);
    store_bytes(b, out + i + lanes);
    store_bytes(c, out + i + 2 * lanes);
  }
  while (i < bytes && bytes >= lanes) {
    i = std::min(i, bytes - lanes);  // the last vector overlaps the one before: no tail of single bytes
    auto a = half;
    const std::uint8_t* from = in + i;
    for (int tap = 0; tap < taps; ++tap, from += stride) {
      a = hn::Add(a, hn::Mul(hn::PromoteTo(d, hn::LoadU(d8, from)), hn::Set(d, weights[tap])));
    }
    store_bytes(a, out + i);
    i += lanes;
  }
  for (; i < bytes; ++i) {  // rows shorter than a vector
    std::int32_t sum = kHalf;
    for (int tap = 0; tap < taps; ++tap) sum += in[static_cast<std::size_t>(tap) * stride + i] * weights[tap];
    out[i] = static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
  }
}

/// Transposes 16 x 16 bytes. rows[i] and out + 16 * i need not be aligned.
HWY_INLINE void transpose_tile(const std::uint8_t* const* rows, std::uint8_t* const* out) {
#if HWY_TARGET == HWY_SCALAR
  for (std::size_t i = 0; i < kStrip; ++i) {
    for (std::size_t j = 0; j < kStrip; ++j) out[j][i] = rows[i][j];
  }
#else
  // Four perfect shuffles of 256 elements rotate their 8-bit index by four: row and column change places.
  const hn::FixedTag<std::uint8_t, 16> d;
  using V = hn::Vec<decltype(d)>;
  V a[kStrip], b[kStrip];
  for (std::size_t i = 0; i < kStrip; ++i) a[i] = hn::LoadU(d, rows[i]);
  const auto shuffle = [&](const V* from, V* to) HWY_ATTR {
    for (std::size_t i = 0; i < kStrip / 2; ++i) {
      to[2 * i] = hn::InterleaveLower(d, from[i], from[i + kStrip / 2]);
      to[2 * i + 1] = hn::InterleaveUpper(d, from[i], from[i + kStrip / 2]);
    }
  };
  shuffle(a, b);
  shuffle(b, a);
  shuffle(a, b);
  shuffle(b, a);
  for (std::size_t i = 0; i < kStrip; ++i) hn::StoreU(a[i], d, out[i]);
#endif
}

/// strip[i * 16 + r] = rows[r][i] for i in [0, bytes); the strip has room for a multiple of 16 columns of bytes.
void rows_to_strip(const std::uint8_t* const* rows, std::size_t bytes, std::uint8_t* strip) {
  const std::uint8_t* from[kStrip];
  std::uint8_t* to[kStrip];
  std::uint8_t padded[kStrip][kStrip] = {};
  for (std::size_t i = 0; i < bytes; i += kStrip) {
    const std::size_t left = std::min(kStrip, bytes - i);
    for (std::size_t r = 0; r < kStrip; ++r) {
      from[r] = rows[r] + i;
      to[r] = strip + (i + r) * kStrip;
      if (left < kStrip) from[r] = static_cast<const std::uint8_t*>(std::memcpy(padded[r], from[r], left));
    }
    transpose_tile(from, to);
  }
}

/// The inverse: the first `count` rows of the strip go to out, `bytes` bytes each without gaps.
void strip_to_rows(const std::uint8_t* strip, std::size_t bytes, std::size_t count, std::uint8_t* out) {
  const std::uint8_t* from[kStrip];
  std::uint8_t* to[kStrip];
  std::uint8_t spare[kStrip][kStrip];
  for (std::size_t i = 0; i < bytes; i += kStrip) {
    const std::size_t left = std::min(kStrip, bytes - i);
    for (std::size_t r = 0; r < kStrip; ++r) {
      from[r] = strip + (i + r) * kStrip;
      to[r] = left == kStrip && r < count ? out + r * bytes + i : spare[r];
    }
    transpose_tile(from, to);
    if (left < kStrip) {
      for (std::size_t r = 0; r < count; ++r) std::memcpy(out + r * bytes + i, spare[r], left);
    }
  }
}

void horizontal_pass(Rows in, int rows, const Axis& axis, std::uint8_t* out) {
  const auto padded = [](std::size_t bytes) { return (bytes + kStrip - 1) / kStrip * kStrip; };
  const std::size_t from_byte = static_cast<std::size_t>(axis.begin()) * 3;
  const std::size_t in_bytes = static_cast<std::size_t>(axis.end()) * 3 - from_byte;
  const std::size_t out_bytes = static_cast<std::size_t>(axis.size()) * 3;
  const auto strip = std::make_unique_for_overwrite<std::uint8_t[]>(padded(in_bytes) * kStrip);
  const auto result = std::make_unique_for_overwrite<std::uint8_t[]>(padded(out_bytes) * kStrip);
  std::memset(result.get() + out_bytes * kStrip, 0, (padded(out_bytes) - out_bytes) * kStrip);

  for (std::size_t y = 0; y < static_cast<std::size_t>(rows); y += kStrip) {
    const std::size_t count = std::min(kStrip, static_cast<std::size_t>(rows) - y);
    const std::uint8_t* lines[kStrip];
    for (std::size_t r = 0; r < kStrip; ++r) lines[r] = in.data + (y + std::min(r, count - 1)) * in.stride + from_byte;
    rows_to_strip(lines, in_bytes, strip.get());
    for (std::size_t x = 0; x < axis.first.size(); ++x) {
      const std::size_t first = static_cast<std::size_t>(axis.first[x] - axis.begin());
      weighted_sum(strip.get() + first * kColumn, kColumn, axis.weights.data() + x * axis.taps, axis.count[x], kColumn,
                   result.get() + x * kColumn);
    }
    strip_to_rows(result.get(), out_bytes, count, out + y * out_bytes);
  }
}

void vertical_pass(Rows in, int origin, std::size_t row_bytes, const Axis& axis, std::uint8_t* out) {
  for (std::size_t y = 0; y < axis.first.size(); ++y) {
    weighted_sum(in.data + static_cast<std::size_t>(axis.first[y] - origin) * in.stride, in.stride,
                 axis.weights.data() + y * axis.taps, axis.count[y], row_bytes, out + y * row_bytes);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace cbir::resample
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir::resample {

CBIR_EXPORT(horizontal_pass);
CBIR_EXPORT(vertical_pass);

void horizontal(Rows in, int rows, const Axis& axis, std::uint8_t* out) {
  CBIR_DISPATCH(horizontal_pass)(in, rows, axis, out);
}

void vertical(Rows in, int origin, std::size_t row_bytes, const Axis& axis, std::uint8_t* out) {
  CBIR_DISPATCH(vertical_pass)(in, origin, row_bytes, axis, out);
}

}  // namespace cbir::resample
#endif
