// Compiled once for each instruction set by foreach_target.h; the best one is chosen at run time.
//
// Rows of b lie in panels: the first numbers of kPanelRows rows, then their second ones, and so on, so that every lane
// sums the product of its own row. A few rows of a are multiplied with a panel at a time; what comes out is compared
// with the nearest so far while it is in registers.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/local/nn_kernels.cpp"

#include "lib/base/kernels.hpp"  // before the rest

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/local/nn_kernels.hpp"

#ifndef CBIR_NN_PANELS  // what follows is not compiled again
#define CBIR_NN_PANELS
namespace cbir {
namespace {

constexpr std::size_t kPanelRows = 32;

/// Rows in panels, of 32-bit numbers; those that fill up the last one are zeros.
template <typename T>
struct Panels {
  std::size_t count = 0, length = 0;
  std::vector<T> numbers;

  Panels(std::size_t rows, std::size_t row_length)
      : count((rows + kPanelRows - 1) / kPanelRows), length(row_length), numbers(count * length * kPanelRows) {}

  T& at(std::size_t row, std::size_t i) {
    return numbers[(row / kPanelRows * length + i) * kPanelRows + row % kPanelRows];
  }
  const T* panel(std::size_t i) const { return numbers.data() + i * length * kPanelRows; }
};

/// The nearest of each row of b so far, filled up as panels are.
struct NearestOfB {
  std::vector<float> distance;
  std::vector<std::int32_t> row;

  explicit NearestOfB(std::size_t panels) : distance(panels * kPanelRows, kNoDistance), row(panels * kPanelRows) {}
};

struct FloatRows {
  MatrixView<const float> rows;
  std::vector<float> squares;
};

struct BitRows {
  std::size_t words = 0;
  std::vector<std::uint32_t> numbers;  ///< rows one behind the other, each filled up to whole words
};

}  // namespace
}  // namespace cbir
#endif

HWY_BEFORE_NAMESPACE();
namespace cbir {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F = hn::CappedTag<float, kPanelRows / 2>;
constexpr std::size_t kVectors = 2;  // that are summed at a time for each row of a
constexpr std::size_t kFloatRows = 6, kBitRows = 4;

/// Takes in the distances between row `row` of a and as many rows of b, from `column` on, as a vector holds.
HWY_INLINE void Offer(hn::Vec<F> distances, std::size_t row, std::size_t column, NearestRows::OfA& of_a,
                      NearestOfB& of_b) {
  const F d;
  const hn::RebindToSigned<F> di;
  float* nearest = of_b.distance.data() + column;
  const auto so_far = hn::LoadU(d, nearest);
  const auto nearer = hn::Lt(distances, so_far);
  if (!hn::AllFalse(d, nearer)) {
    std::int32_t* rows = of_b.row.data() + column;
    hn::StoreU(hn::IfThenElse(nearer, distances, so_far), d, nearest);
    hn::StoreU(
        hn::IfThenElse(hn::RebindMask(di, nearer), hn::Set(di, static_cast<std::int32_t>(row)), hn::LoadU(di, rows)),
        di, rows);
  }
  if (HWY_LIKELY(hn::AllFalse(d, hn::Lt(distances, hn::Set(d, of_a.second))))) return;
  HWY_ALIGN float each[kPanelRows];
  hn::StoreU(distances, d, each);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (each[i] < of_a.nearest) of_a = {each[i], of_a.nearest, static_cast<std::uint32_t>(column + i)};
    else if (each[i] < of_a.second) of_a.second = each[i];
  }
}

template <std::size_t kRows>
void MultiplyPanel(const FloatRows& a, std::size_t first, const Panels<float>& b, const std::vector<float>& squares,
                   std::size_t panel, NearestRows::OfA* of_a, NearestOfB& of_b) {
  const F d;
  const std::size_t lanes = hn::Lanes(d);
  const float* rows = a.rows.data + first * a.rows.stride;
  for (std::size_t begin = 0; begin < kPanelRows; begin += kVectors * lanes) {
    const float* columns = b.panel(panel) + begin;
    hn::Vec<F> sums[kRows][kVectors];
    CBIR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
    for (std::size_t i = 0; i < b.length; ++i, columns += kPanelRows) {
      const auto left = hn::LoadU(d, columns), right = hn::LoadU(d, columns + lanes);
      CBIR_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) {
        const auto number = hn::Set(d, rows[r * a.rows.stride + i]);
        sums[r][0] = hn::MulAdd(number, left, sums[r][0]);
        sums[r][1] = hn::MulAdd(number, right, sums[r][1]);
      }
    }
    const std::size_t column = panel * kPanelRows + begin;
    CBIR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto square = hn::Set(d, a.squares[first + r]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        const auto both = hn::Add(square, hn::LoadU(d, squares.data() + column + v * lanes));
        const auto distances = hn::Max(hn::Zero(d), hn::MulAdd(hn::Set(d, -2.0F), sums[r][v], both));
        Offer(distances, first + r, column + v * lanes, of_a[first + r], of_b);
      }
    }
  }
}

void NearestL2(const FloatRows& a, const Panels<float>& b, const std::vector<float>& squares, NearestRows::OfA* of_a,
               NearestOfB& of_b) {
  for (std::size_t panel = 0; panel < b.count; ++panel) {
    std::size_t row = 0;
    for (; row + kFloatRows <= a.rows.rows; row += kFloatRows)
      MultiplyPanel<kFloatRows>(a, row, b, squares, panel, of_a, of_b);
    for (; row < a.rows.rows; ++row) MultiplyPanel<1>(a, row, b, squares, panel, of_a, of_b);
  }
}

using Words = hn::RebindToUnsigned<F>;

// Bits are counted byte by byte where there are vectors, and Totals() are what each word has.
#if HWY_TARGET == HWY_SCALAR

using Counts = hn::Vec<Words>;

HWY_INLINE Counts CountBits(Counts words) {
  return hn::Set(Words(), static_cast<std::uint32_t>(std::popcount(words.raw)));
}
HWY_INLINE Counts Totals(Counts counts) { return counts; }
HWY_INLINE Counts NoCounts() { return hn::Zero(Words()); }

#else

using Bytes = hn::Repartition<std::uint8_t, Words>;
using Counts = hn::Vec<Bytes>;

HWY_INLINE Counts CountBits(hn::Vec<Words> words) { return hn::PopulationCount(hn::BitCast(Bytes(), words)); }
HWY_INLINE hn::Vec<Words> Totals(Counts counts) {
  const Words d;
  const auto even = hn::Set(d, 0x00FF00FFU), bytes = hn::BitCast(d, counts);
  const auto pairs = hn::Add(hn::And(bytes, even), hn::And(hn::ShiftRight<8>(bytes), even));
  return hn::Add(hn::And(pairs, hn::Set(d, 0xFFFFU)), hn::ShiftRight<16>(pairs));
}
HWY_INLINE Counts NoCounts() { return hn::Zero(Bytes()); }

#endif

template <std::size_t kRows>
void ComparePanel(const BitRows& a, std::size_t first, const Panels<std::uint32_t>& b, std::size_t rows_of_b,
                  std::size_t panel, NearestRows::OfA* of_a, NearestOfB& of_b) {
  constexpr std::size_t kMostWords = 31;  // whose counts of up to 8 are added as bytes
  const Words d;
  const F df;
  const hn::RebindToSigned<F> di;
  const std::size_t lanes = hn::Lanes(d);
  const std::uint32_t* rows = a.numbers.data() + first * a.words;
  for (std::size_t begin = 0; begin < kPanelRows; begin += lanes) {
    hn::Vec<Words> sums[kRows];
    CBIR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) sums[r] = hn::Zero(d);
    for (std::size_t word = 0; word < b.length; word += kMostWords) {
      Counts counts[kRows];
      CBIR_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) counts[r] = NoCounts();
      for (std::size_t i = word; i < std::min(b.length, word + kMostWords); ++i) {
        const auto columns = hn::LoadU(d, b.panel(panel) + i * kPanelRows + begin);
        CBIR_UNROLL
        for (std::size_t r = 0; r < kRows; ++r) {
          const auto differ = hn::Xor(columns, hn::Set(d, rows[r * a.words + i]));
          counts[r] = hn::Add(counts[r], CountBits(differ));
        }
      }
      CBIR_UNROLL
      for (std::size_t r = 0; r < kRows; ++r) sums[r] = hn::Add(sums[r], Totals(counts[r]));
    }
    // What fills up the last panel is no row.
    const std::size_t column = panel * kPanelRows + begin;
    const auto left = hn::Set(df, static_cast<float>(rows_of_b) - static_cast<float>(column));
    const auto exists = hn::Lt(hn::Iota(df, 0), left);
    CBIR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto distances = hn::ConvertTo(df, hn::BitCast(di, sums[r]));
      Offer(hn::IfThenElse(exists, distances, hn::Set(df, kNoDistance)), first + r, column, of_a[first + r], of_b);
    }
  }
}

void NearestHamming(const BitRows& a, std::size_t rows_of_a, const Panels<std::uint32_t>& b, std::size_t rows_of_b,
                    NearestRows::OfA* of_a, NearestOfB& of_b) {
  for (std::size_t panel = 0; panel < b.count; ++panel) {
    std::size_t row = 0;
    for (; row + kBitRows <= rows_of_a; row += kBitRows)
      ComparePanel<kBitRows>(a, row, b, rows_of_b, panel, of_a, of_b);
    for (; row < rows_of_a; ++row) ComparePanel<1>(a, row, b, rows_of_b, panel, of_a, of_b);
  }
}

/// |row|^2 of each row of a panel, each lane summing its own row.
void Squares(const Panels<float>& panels, std::size_t panel, float* out) {
  const F d;
  for (std::size_t begin = 0; begin < kPanelRows; begin += hn::Lanes(d)) {
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < panels.length; ++i) {
      const auto numbers = hn::LoadU(d, panels.panel(panel) + i * kPanelRows + begin);
      sum = hn::MulAdd(numbers, numbers, sum);
    }
    hn::StoreU(sum, d, out + begin);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cbir
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir {
namespace {
CBIR_EXPORT(NearestL2);
CBIR_EXPORT(NearestHamming);
CBIR_EXPORT(Squares);

Panels<float> panels_of(MatrixView<const float> rows) {
  Panels<float> out(rows.rows, rows.cols);
  for (std::size_t row = 0; row < rows.rows; ++row)
    for (std::size_t i = 0; i < rows.cols; ++i) out.at(row, i) = rows.row(row)[i];
  return out;
}

std::vector<float> squares_of(const Panels<float>& panels) {
  std::vector<float> out(panels.count * kPanelRows);
  for (std::size_t panel = 0; panel < panels.count; ++panel)
    CBIR_DISPATCH(Squares)(panels, panel, out.data() + panel * kPanelRows);
  return out;
}

BitRows words_of(MatrixView<const std::uint8_t> rows) {
  BitRows out{.words = (rows.cols + 3) / 4, .numbers = {}};
  out.numbers.resize(rows.rows * out.words);
  for (std::size_t row = 0; row < rows.rows; ++row)
    std::memcpy(out.numbers.data() + row * out.words, rows.row(row).data(), rows.cols);
  return out;
}

NearestRows finished(std::vector<NearestRows::OfA> of_a, NearestOfB of_b, std::size_t rows) {
  of_b.distance.resize(rows);
  of_b.row.resize(rows);
  return {.of_a = std::move(of_a), .nearest_of_b = std::move(of_b.distance), .row_of_b = std::move(of_b.row)};
}

}  // namespace

NearestRows nearest_l2(MatrixView<const float> a, MatrixView<const float> b) {
  const Panels<float> panels = panels_of(b);
  std::vector<float> squares = squares_of(panels);
  std::fill(squares.begin() + static_cast<std::ptrdiff_t>(b.rows), squares.end(), kNoDistance);
  std::vector<NearestRows::OfA> of_a(a.rows);
  NearestOfB of_b(panels.count);
  const FloatRows rows{a, squares_of(panels_of(a))};
  CBIR_DISPATCH(NearestL2)(rows, panels, squares, of_a.data(), of_b);
  return finished(std::move(of_a), std::move(of_b), b.rows);
}

NearestRows nearest_hamming(MatrixView<const std::uint8_t> a, MatrixView<const std::uint8_t> b) {
  const BitRows rows = words_of(a), other = words_of(b);
  Panels<std::uint32_t> panels(b.rows, other.words);
  for (std::size_t row = 0; row < b.rows; ++row)
    for (std::size_t i = 0; i < other.words; ++i) panels.at(row, i) = other.numbers[row * other.words + i];
  std::vector<NearestRows::OfA> of_a(a.rows);
  NearestOfB of_b(panels.count);
  CBIR_DISPATCH(NearestHamming)(rows, a.rows, panels, b.rows, of_a.data(), of_b);
  return finished(std::move(of_a), std::move(of_b), b.rows);
}

}  // namespace cbir
#endif
