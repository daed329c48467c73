#include <cbir/rerank/augment.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/vectors.hpp>
#include <cbir/rerank/transform.hpp>

#include "graph.hpp"

namespace cbir {
namespace {

constexpr std::size_t kFewestRows = 3;
constexpr double kLeastAgreement = .25;   // below which neighbours are taken for noise
constexpr double kLeastSpread = 1e-4;     // length of a row less the mean, below which it has no direction
constexpr std::size_t kAskedRows = 1000;  // for the agreement
constexpr std::size_t kAskedNeighbours = 10;
constexpr std::size_t kRows = 256;  // that a thread takes

/// row - mean
void subtract(std::span<const float> row, const std::vector<double>& mean, std::span<float> out) {
  for (std::size_t c = 0; c < row.size(); ++c) out[c] = static_cast<float>(static_cast<double>(row[c]) - mean[c]);
}

/// Calls body(i) for every row, in parallel.
void for_each_row(const Vectors& vectors, const std::function<void(std::size_t)>& body) {
  parallel_blocks(vectors.rows(), kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) body(i);
  });
}

/// Whether every row keeps a direction if the mean is subtracted.
bool all_have_spread(const Vectors& vectors, const std::vector<double>& mean) {
  std::vector<char> spread(vectors.rows());
  for_each_row(vectors, [&](std::size_t i) {
    std::vector<float> rest(vectors.dim());
    subtract(vectors.row(i), mean, rest);
    spread[i] = norm(rest) >= kLeastSpread;
  });
  return std::ranges::find(spread, 0) == spread.end();
}

/// Takes the direction of the mean out of every row that has another one besides.
void take_out(Vectors& vectors, std::vector<double> mean) {
  double square = 0;
  for (const double x : mean) square += x * x;
  if (square < kLeastSpread * kLeastSpread) return;  // of rows that are centred already it is but rounding
  for (double& x : mean) x /= std::sqrt(square);
  for_each_row(vectors, [&](std::size_t i) {
    const auto row = vectors.row(i);
    double along = 0;
    for (std::size_t c = 0; c < row.size(); ++c) along += static_cast<double>(row[c]) * mean[c];
    if (1 - along * along < kLeastSpread) return;
    for (std::size_t c = 0; c < row.size(); ++c)
      row[c] = static_cast<float>(static_cast<double>(row[c]) - along * mean[c]);
    prepare_vector(row, true);
  });
}

/// Rows 0, stride, 2 stride, ... less the mean, of which every other dimension from `parity` on is left, brought to
/// length 1 unless they are zero.
Vectors half_of(const Vectors& vectors, const std::vector<double>& mean, std::size_t stride, std::size_t parity) {
  Vectors half((vectors.rows() + stride - 1) / stride, (vectors.dim() + 1 - parity) / 2);
  for_each_row(half, [&](std::size_t i) {
    const auto from = vectors.row(i * stride);
    const auto to = half.row(i);
    for (std::size_t c = 0; c < to.size(); ++c)
      to[c] = static_cast<float>(static_cast<double>(from[2 * c + parity]) - mean[2 * c + parity]);
    prepare_vector(to, true);
  });
  return half;
}

double inner_product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return sum;
}

/// See AugmentReport::agreement.
double agreement_of_halves(const Vectors& vectors, const std::vector<double>& mean) {
  if (vectors.dim() < 2) return 0;
  const std::size_t stride = (vectors.rows() + kAskedRows - 1) / kAskedRows;
  double by_first = 0, by_second = 0;
  for (const std::size_t parity : {0U, 1U}) {
    const auto ask = [&] {
      const Vectors asking = half_of(vectors, mean, stride, parity), all = half_of(vectors, mean, 1, parity);
      return nearest_neighbours(asking, all, kAskedNeighbours, [stride](std::size_t query) { return query * stride; });
    };
    const Neighbours found = ask();
    const Vectors other = half_of(vectors, mean, 1, 1 - parity);
    for (std::size_t q = 0; q * stride < vectors.rows(); ++q)
      for (std::size_t n = 0; n < found.k; ++n) {
        by_first += static_cast<double>(found.scores_of(q)[n]);
        by_second += inner_product(other.row(q * stride), other.row(found.rows_of(q)[n]));
      }
  }
  return by_first > 0 ? by_second / by_first : 0;
}

/// Where neighbours are few, they are little but a row's own kind at first, and strangers soon; where they are many,
/// it takes more averages until a group has become one.
std::size_t iterations_for(double mean_neighbours) {
  return static_cast<std::size_t>(std::max(1.0, std::round(2 * std::log2(std::max(mean_neighbours, 1.0)))));
}

}  // namespace

AugmentReport augment(Vectors& vectors, const AugmentOptions& options, const RowProgress& progress) {
  if (options.neighbours == 0) throw UsageError("an augmentation takes at least one neighbour");
  if (!(options.alpha >= 0) || !std::isfinite(options.alpha))
    throw UsageError("the alpha of an augmentation is a number from 0");
  AugmentReport report;
  const auto leave = [&](LeftAlone why) {
    report.left_alone = why;
    return report;
  };
  if (vectors.rows() < kFewestRows) return leave(LeftAlone::few_rows);
  const std::vector<double> mean =
      mean_of_rows(vectors.rows(), vectors.dim(), [&](std::size_t i) { return std::as_const(vectors).row(i); });
  if (!all_have_spread(vectors, mean)) return leave(LeftAlone::no_spread);
  const bool choose = options.iterations == 0;
  report.agreement = agreement_of_halves(vectors, mean);
  if (choose && report.agreement < kLeastAgreement) return leave(LeftAlone::unreliable);

  for_each_row(vectors, [&](std::size_t i) {
    subtract(vectors.row(i), mean, vectors.row(i));
    prepare_vector(vectors.row(i), true);
  });
  const NeighbourGraph graph = [&] {
    const Neighbours found = nearest_neighbours(vectors, options.neighbours, progress);
    report.neighbours = found.k;
    return weigh(found, options.alpha);
  }();
  report.mean_neighbours = graph.mean_neighbours;
  report.iterations = choose ? iterations_for(graph.mean_neighbours) : options.iterations;
  for (std::size_t i = 0; i < report.iterations; ++i) smooth(vectors, graph);
  take_out(vectors, mean);
  return report;
}

}  // namespace cbir
