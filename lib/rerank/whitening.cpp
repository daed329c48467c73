#include <cbir/rerank/whitening.hpp>

#include <fmt/format.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>

namespace cbir {
namespace {

constexpr std::size_t kBlockRows = 1024;   // whose products are summed in float32
constexpr std::size_t kBlockColumns = 96;  // that a thread takes
constexpr double kLeastEigenvalue = 1e-7;  // of the largest one: below is what rounding leaves

/// Sum of (x - mean) (x - mean)^T over all rows: blocks of rows in float32, their sums in double.
Eigen::MatrixXd scatter(const Vectors& vectors, std::span<const float> mean) {
  const std::size_t dim = vectors.dim();
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(dim), static_cast<Eigen::Index>(dim));
  for (std::size_t first = 0; first < vectors.rows(); first += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, vectors.rows() - first);
    Vectors columns(dim, count);
    parallel_blocks(dim, kBlockColumns, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = vectors.row(first + i);
        for (std::size_t c = begin; c < end; ++c) columns.row(c)[i] = row[c] - mean[c];
      }
    });
    parallel_blocks(dim, kBlockColumns, [&](std::size_t begin, std::size_t end) {
      std::vector<float> products((end - begin) * dim);
      inner_products(columns.padded(begin, end - begin), columns.padded(),
                     MatrixView<float>(products.data(), end - begin, dim));
      for (std::size_t c = begin; c < end; ++c)
        for (std::size_t d = 0; d < dim; ++d)
          sum(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(c)) +=
              static_cast<double>(products[(c - begin) * dim + d]);
    });
  }
  return sum;
}

/// Makes the largest element positive, so that nothing but the vectors decides the sign.
double sign_of(const Eigen::VectorXd& axis) {
  Eigen::Index largest = 0;
  axis.cwiseAbs().maxCoeff(&largest);
  return axis(largest) < 0 ? -1 : 1;
}

}  // namespace

Whitening learn_whitening(const Vectors& vectors, const WhiteningOptions& options) {
  const std::size_t most = std::min(vectors.dim(), vectors.rows() - 1);
  if (most == 0)
    throw MissingInput(
        fmt::format("{}: a whitening cannot be learned from one row", display_path(vectors.origin.name)));
  const std::size_t dim = options.dim == 0 ? most : options.dim;
  if (dim > most)
    throw UsageError(fmt::format("{}: {} of {} dimensions give at most {}; {} were wanted",
                                 display_path(vectors.origin.name), counted(vectors.rows(), "row"), vectors.dim(), most,
                                 dim));
  if (!(options.shrinkage >= 0) || !std::isfinite(options.shrinkage))
    throw UsageError("--shrinkage: a number from 0 expected");
  const Transform center = centering(vectors);
  const Eigen::MatrixXd covariance = scatter(vectors, center.mean()) / static_cast<double>(vectors.rows());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  if (solver.info() != Eigen::Success)
    throw Error(ExitCode::internal, "the eigenvalues of a covariance matrix were not found");
  const Eigen::VectorXd& values = solver.eigenvalues();  // ascending
  const double total = values.cwiseMax(0).sum();
  if (!(total > 0))
    throw MissingInput(fmt::format("{}: all rows are the same, so there is nothing to learn a whitening from",
                                   display_path(vectors.origin.name)));
  const double largest = values(values.size() - 1);

  Vectors projection(dim, vectors.dim());
  double kept = 0;
  for (std::size_t k = 0; k < dim; ++k) {
    const Eigen::Index from = values.size() - 1 - static_cast<Eigen::Index>(k);
    const double value = std::max(values(from), 0.0);
    const Eigen::VectorXd axis = solver.eigenvectors().col(from);
    const double scale =
        sign_of(axis) / std::sqrt(std::max(value, kLeastEigenvalue * largest) + options.shrinkage * largest);
    for (std::size_t c = 0; c < vectors.dim(); ++c)
      projection.row(k)[c] = static_cast<float>(axis(static_cast<Eigen::Index>(c)) * scale);
    kept += value;
  }
  return {.transform = Transform({center.mean().begin(), center.mean().end()}, std::move(projection)),
          .origin = vectors.origin,
          .rows = vectors.rows(),
          .kept = kept / total};
}

void check_whitening(const Whitening& whitening, const std::string& path, std::size_t dim, const VectorOrigin& vectors,
                     bool allow_mismatch) {
  if (whitening.transform.dim() != dim)
    throw Incompatible(fmt::format("{}: a whitening of {} dimensions, but {} has {}", display_path(path),
                                   whitening.transform.dim(), display_path(vectors.name), dim));
  if (allow_mismatch) return;
  const auto said = [](const VectorOrigin& origin) {
    return origin.fingerprint.empty() ? std::string("an unknown encoder")
                                      : fmt::format("encoder {} ({:.12}...)", origin.encoder, origin.fingerprint);
  };
  if (whitening.origin.fingerprint != vectors.fingerprint)
    throw Incompatible(
        fmt::format("{}: learned from vectors of {}, but {} holds those of {}; learn one from these "
                    "with cbir-index whiten, or insist with --allow-mismatch",
                    display_path(path), said(whitening.origin), display_path(vectors.name), said(vectors)));
  if (whitening.origin.augmentation != vectors.augmentation)
    throw Incompatible(
        fmt::format("{}: learned from vectors that were augmented otherwise than those of {}; learn one "
                    "from these with cbir-index whiten, or insist with --allow-mismatch",
                    display_path(path), display_path(vectors.name)));
}

}  // namespace cbir
