#include <cbir/rerank/transform.hpp>

#include <algorithm>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

namespace cbir {
namespace {

constexpr std::size_t kColumns = 64;   // of a mean that a thread sums
constexpr std::size_t kRows = 96;      // projected together
constexpr double kLeastLength = 1e-6;  // below which a vector has no direction but that of rounding

/// Brings a row to length 1, or to zero; returns the length it had.
float normalise(std::span<float> row) {
  const double length = norm(row);
  if (length < kLeastLength) {
    std::ranges::fill(row, 0.0F);
    return 0;
  }
  prepare_vector(row, true);
  return static_cast<float>(length);
}

}  // namespace

Transform::Transform(std::vector<float> mean) : mean_(std::move(mean)) {}

Transform::Transform(std::vector<float> mean, Vectors projection)
    : mean_(std::move(mean)), projection_(std::move(projection)) {}

Vectors Transform::apply(const Vectors& vectors, std::vector<float>* norms) const {
  Vectors out(vectors.rows(), output_dim());
  out.origin = vectors.origin;
  if (norms) norms->resize(vectors.rows());
  parallel_blocks(vectors.rows(), kRows, [&](std::size_t begin, std::size_t end) {
    Vectors rest(projection_ ? end - begin : 0, dim());
    for (std::size_t i = begin; i < end; ++i)
      std::ranges::transform(vectors.row(i), mean_, (projection_ ? rest.row(i - begin) : out.row(i)).begin(),
                             std::minus<>());
    if (projection_)
      inner_products(rest.padded(), projection_->padded(),
                     MatrixView<float>(out.row(begin).data(), end - begin, output_dim(), padded_dim(output_dim())));
    for (std::size_t i = begin; i < end; ++i) {
      const float length = normalise(out.row(i));
      if (norms) (*norms)[i] = length;
    }
  });
  return out;
}

std::vector<float> Transform::back(std::span<const float> y) const {
  if (!projection_) return {y.begin(), y.end()};
  std::vector<double> sum(dim());
  for (std::size_t k = 0; k < y.size(); ++k) {
    const auto row = projection_->row(k);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += static_cast<double>(y[k]) * static_cast<double>(row[c]);
  }
  return {sum.begin(), sum.end()};
}

std::vector<double> mean_of_rows(std::size_t rows, std::size_t dim,
                                 const std::function<std::span<const float>(std::size_t)>& row) {
  std::vector<double> mean(dim);
  parallel_blocks(dim, kColumns, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = 0; i < rows; ++i) {
      const auto values = row(i);
      for (std::size_t c = begin; c < end; ++c) mean[c] += static_cast<double>(values[c]);
    }
    for (std::size_t c = begin; c < end; ++c) mean[c] /= static_cast<double>(std::max<std::size_t>(rows, 1));
  });
  return mean;
}

Transform centering(const Vectors& vectors) {
  const std::vector<double> mean =
      mean_of_rows(vectors.rows(), vectors.dim(), [&](std::size_t i) { return vectors.row(i); });
  return Transform(std::vector<float>(mean.begin(), mean.end()));
}

}  // namespace cbir
