#include "lib/dedup/sketch.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

namespace cbir {
namespace {

constexpr int kRounds = 3;           // of the subspace iteration
constexpr std::size_t kBlock = 256;  // rows that a thread sketches at a time
constexpr double kSmall = 1e-4;      // what is left of a direction that lay among those before it

double product(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Rows that lie in float32, in binary64.
std::vector<double> widened(MatrixView<const float> rows) {
  std::vector<double> out(rows.rows * rows.cols);
  for (std::size_t i = 0; i < rows.rows; ++i) std::ranges::copy(rows.row(i), out.data() + i * rows.cols);
  return out;
}

/// Makes the rows orthonormal, by Gram and Schmidt, twice; those that depend on others become zeros and move behind.
/// Returns how many are left.
std::size_t orthonormalise(MatrixView<float> rows) {
  std::vector<double> wide = widened(rows);
  const auto row = [&](std::size_t i) { return std::span(wide).subspan(i * rows.cols, rows.cols); };
  std::size_t found = 0;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const double before = std::sqrt(product(row(i), row(i)));
    for (int twice = 0; twice < 2; ++twice) {
      for (std::size_t j = 0; j < found; ++j) {
        const double along = product(row(i), row(j));
        for (std::size_t d = 0; d < rows.cols; ++d) row(i)[d] -= along * row(j)[d];
      }
    }
    const double length = std::sqrt(product(row(i), row(i)));
    if (!(length > kSmall * before)) continue;
    for (std::size_t d = 0; d < rows.cols; ++d) row(found)[d] = row(i)[d] / length;
    ++found;
  }
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t d = 0; d < rows.cols; ++d)
      rows.row(i)[d] = i < found ? static_cast<float>(wide[i * rows.cols + d]) : 0.0F;
  return found;
}

AlignedFloats transposed(MatrixView<const float> rows, std::size_t stride) {
  AlignedFloats out(rows.cols * stride);
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t d = 0; d < rows.cols; ++d) out.data()[d * stride + i] = rows.row(i)[d];
  return out;
}

}  // namespace

Sketcher::Sketcher(MatrixView<const float> rows, std::size_t size)
    : size_(size), dim_(rows.cols), directions_(size * rows.cols) {
  find_directions(rows);
  measure();
}

/// Subspace iteration (Halko, Martinsson, Tropp: Finding structure with randomness, 2011) from random sums of rows.
void Sketcher::find_directions(MatrixView<const float> rows) {
  const std::size_t count = std::min(size_ - 1, rows.rows);
  const MatrixView<float> directions(directions_.data(), count, dim_);
  const std::size_t stride = padded_dim(rows.rows);
  const AlignedFloats columns = transposed(rows, stride);
  const MatrixView<const float> by_column(columns.data(), dim_, stride);
  SplitMix64 random(1);
  AlignedFloats weights(count * stride);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < rows.rows; ++j) weights.data()[i * stride + j] = random() % 2 == 0 ? 1.0F : -1.0F;
  const MatrixView<float> mixed(weights.data(), count, stride);
  for (int round = 0; round < kRounds; ++round) {
    if (round > 0) inner_products(directions, rows, {weights.data(), count, rows.rows, stride});
    inner_products(mixed, by_column, directions);
    found_ = orthonormalise(directions);
  }
}

void Sketcher::measure() {
  const std::vector<double> wide = widened({directions_.data(), found_, dim_});
  double squares = 0;
  for (std::size_t i = 0; i < found_; ++i) {
    for (std::size_t j = 0; j < found_; ++j) {
      const double off = product(std::span(wide).subspan(i * dim_, dim_), std::span(wide).subspan(j * dim_, dim_));
      squares += (off - (i == j)) * (off - (i == j));
    }
  }
  const double rounding = static_cast<double>(dim_ / kVectorPadding + 8) * 0x1p-24;
  g_ = rounding / (1 - rounding);
  e_ = std::sqrt(squares) + 0x1p-30;
  f_ = std::sqrt(static_cast<double>(found_)) * g_ * (1 + e_) + 0x1p-36;
}

/// Orthogonal: signs, then the transform of as many numbers as a power of 2.
void Sketcher::turn(std::span<double> numbers) const {
  SplitMix64 random(2);
  const double scale = 1 / std::sqrt(static_cast<double>(numbers.size()));
  for (double& number : numbers) number *= random() % 2 == 0 ? scale : -scale;
  for (std::size_t width = 1; width < numbers.size(); width *= 2) {
    for (std::size_t i = 0; i < numbers.size(); i += 2 * width) {
      for (std::size_t j = i; j < i + width; ++j) {
        const double a = numbers[j], b = numbers[j + width];
        numbers[j] = a + b;
        numbers[j + width] = a - b;
      }
    }
  }
}

void Sketcher::sketch(MatrixView<const float> rows, MatrixView<float> out) const {
  const double c = 1 + e_ + f_, h = 2 * f_ * c + e_ * c * c + 0x1p-36;
  const std::size_t along = size_ - 1;
  parallel_blocks(rows.rows, kBlock, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    AlignedFloats products(count * size_);
    inner_products({rows.data + begin * rows.stride, count, rows.cols, rows.stride}, {directions_.data(), along, dim_},
                   {products.data(), count, along, size_});
    std::vector<double> numbers(size_);
    for (std::size_t i = 0; i < count; ++i) {
      const double square = squared_norm(rows.row(begin + i));
      std::copy_n(products.data() + i * size_, along, numbers.begin());
      const std::span<const double> p = std::span(numbers).first(along);
      const double rest = square - product(p, p) + h * square + 0x1p-100 * (1 + std::sqrt(square));
      numbers.back() = std::sqrt(std::max(rest, 0.0));
      turn(numbers);
      std::ranges::transform(numbers, out.row(begin + i).begin(), [](double x) { return static_cast<float>(x); });
    }
  });
}

double Sketcher::excess(Metric metric, double length) const {
  const double c = 1 + e_ + f_, d = 3 * e_ * c * c + 2 * f_ * c, h = 2 * f_ * c + e_ * c * c + 0x1p-36;
  const double share = metric == Metric::l2 ? 2 * d + 2 * h + 4 * g_ : d + g_;
  return (share + 0x1p-20) * length * length + 0x1p-90 * (1 + length);
}

}  // namespace cbir
