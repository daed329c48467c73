#include <lib/dedup/sketch.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// `rank` random directions, mixed at random, and noise.
AlignedFloats random_rows(std::size_t rows, std::size_t dim, std::size_t rank, float noise, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> directions(rank * dim);
  for (float& x : directions) x = normal(generator);
  AlignedFloats out(rows * dim);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t d = 0; d < dim; ++d) out.data()[i * dim + d] = noise * normal(generator);
    for (std::size_t j = 0; j < rank; ++j) {
      const float weight = normal(generator);
      for (std::size_t d = 0; d < dim; ++d) out.data()[i * dim + d] += weight * directions[j * dim + d];
    }
  }
  return out;
}

/// In binary64.
double score(Metric metric, std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    sum += metric == Metric::l2 ? -(x - y) * (x - y) : x * y;
  }
  return sum;
}

/// The largest amount by which the score of sketches exceeds that of the rows.
double check_bounds(const AlignedFloats& data, std::size_t rows, std::size_t dim, std::size_t size, Metric metric) {
  const MatrixView<const float> view(data.data(), rows, dim);
  const Sketcher sketcher(slice(view, 0, rows / 2), size);  // of rows that it has seen, and of others
  AlignedFloats sketches(rows * size);
  const MatrixView<float> sketched(sketches.data(), rows, size);
  sketcher.sketch(view, sketched);
  double length = 0;
  for (std::size_t i = 0; i < rows; ++i) length = std::max(length, norm(view.row(i)));
  const double excess = sketcher.excess(metric, length);
  CHECK(excess < .005 * length * length);
  std::vector<float> scores(rows * rows);
  score_all_pairs(metric, view, view, {scores.data(), rows, rows});
  double most = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < rows; ++j) {
      const double bound = score(metric, sketched.row(i), sketched.row(j)) + excess;
      const double exact = static_cast<double>(scores[i * rows + j]);
      if (!(exact <= bound)) FAIL("rows " << i << " and " << j << " score " << exact << ", bounded by " << bound);
      most = std::max(most, (bound - exact) / (length * length));
    }
  }
  return most;
}

}  // namespace

TEST_CASE("scores of sketches bound those of rows") {
  for (const Metric metric : {Metric::cosine, Metric::l2}) {
    for (const std::size_t size : {16, 64, 256}) {
      check_bounds(random_rows(200, 320, 40, .3F, 1), 200, 320, size, metric);
      check_bounds(random_rows(200, 64, 2, 0, 2), 200, 64, size, metric);
      check_bounds(random_rows(40, 96, 90, 0, 3), 40, 96, size, metric);
    }
  }
}

TEST_CASE("sketches of rows along few directions say nearly all") {
  for (const Metric metric : {Metric::cosine, Metric::l2})
    CHECK(check_bounds(random_rows(200, 320, 10, 0, 4), 200, 320, 16, metric) < .01);
}

TEST_CASE("rows of zeros have sketches, too") {
  const AlignedFloats zeros(64 * 32);
  check_bounds(random_rows(64, 32, 1, 0, 5), 64, 32, 16, Metric::l2);
  const Sketcher sketcher({zeros.data(), 64, 32}, 16);
  AlignedFloats sketches(64 * 16);
  sketcher.sketch({zeros.data(), 64, 32}, {sketches.data(), 64, 16});
  CHECK(std::all_of(sketches.data(), sketches.data() + 64 * 16, [](float x) { return std::abs(x) < 1e-10F; }));
}
