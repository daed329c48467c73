#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/rerank/augment.hpp>
#include <cbir/store/set.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

#include "clusters.hpp"

using namespace cbir;

namespace {

using Matrix = std::vector<std::vector<double>>;

void normalise(std::vector<double>& row) {
  double square = 0;
  for (const double x : row) square += x * x;
  for (double& x : row) x /= std::sqrt(square);
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += a[c] * b[c];
  return sum;
}

/// The four steps of augment.hpp, said as they stand there, with every row a candidate.
Matrix stated(const Vectors& vectors, std::size_t iterations, double alpha) {
  const std::size_t n = vectors.rows(), dim = vectors.dim();
  std::vector<double> mean(dim);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < dim; ++c) mean[c] += static_cast<double>(vectors.row(i)[c]) / static_cast<double>(n);
  Matrix y(n, std::vector<double>(dim));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < dim; ++c) y[i][c] = static_cast<double>(vectors.row(i)[c]) - mean[c];
    normalise(y[i]);
  }
  Matrix s(n, std::vector<double>(n)), w = s;
  std::vector<double> nearest(n, -1);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      s[i][j] = product(y[i], y[j]);
      if (j != i) nearest[i] = std::max(nearest[i], s[i][j]);
    }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i || s[i][j] <= 0) continue;
      const double r = std::min(1.0, s[i][j] / std::sqrt(nearest[i] * nearest[j]));
      w[i][j] = std::pow(std::max(0.0, 2 * r - 1), 2) * std::pow(s[i][j], alpha);
    }
  for (std::size_t t = 0; t < iterations; ++t) {
    const Matrix old = y;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t c = 0; c < dim; ++c) y[i][c] += w[i][j] * old[j][c];
      normalise(y[i]);
    }
  }
  normalise(mean);
  for (auto& row : y) {
    const double along = product(row, mean);
    for (std::size_t c = 0; c < dim; ++c) row[c] -= along * mean[c];
    normalise(row);
  }
  return y;
}

}  // namespace

TEST_CASE("an augmentation is what its definition says") {
  for (const double alpha : {3.0, 0.0}) {
    Vectors vectors = fixture::clustered_rows(60, 70, 5, .05F, 4);  // more than a strip of columns
    const Matrix expected = stated(vectors, 3, alpha);
    const AugmentReport report = augment(vectors, {.neighbours = 59, .iterations = 3, .alpha = alpha});
    CHECK(report.left_alone == LeftAlone::no);
    CHECK(report.iterations == 3);
    for (std::size_t i = 0; i < vectors.rows(); ++i)
      for (std::size_t c = 0; c < vectors.dim(); ++c)
        REQUIRE(static_cast<double>(vectors.row(i)[c]) == Approx(expected[i][c]).margin(2e-5));
  }
}

TEST_CASE("rows in noisy groups find their own, once they are augmented") {
  Vectors vectors = fixture::clustered_rows(400, 64, 8, .35F, 5);
  const double before = fixture::r_precision(vectors, 8);
  const AugmentReport report = augment(vectors, {});
  CHECK(report.left_alone == LeftAlone::no);
  CHECK(report.iterations >= 2);
  CHECK(before < .95);
  CHECK(fixture::r_precision(vectors, 8) > before + .05);
}

TEST_CASE("noise is left as it is, to the bit") {
  const Vectors original = fixture::random_rows(500, 64, 6);
  Vectors vectors = original.copy();
  const AugmentReport report = augment(vectors, {});
  CHECK(report.left_alone == LeftAlone::unreliable);
  CHECK(report.agreement < .25);
  for (std::size_t i = 0; i < vectors.rows(); ++i) REQUIRE(std::ranges::equal(vectors.row(i), original.row(i)));
  CHECK(augment(vectors, {.iterations = 1}).left_alone == LeftAlone::no);  // unless that is asked for
}

TEST_CASE("pairs of near-duplicates stay each other's first") {
  Vectors vectors = fixture::clustered_rows(600, 64, 300, .04F, 7);
  REQUIRE(fixture::first_is_right(vectors, 300) == 1);
  augment(vectors, {});
  CHECK(fixture::first_is_right(vectors, 300) == 1);
}

TEST_CASE("sets that are too small, or without spread, are left as they are") {
  Vectors two = fixture::random_rows(2, 8, 8);
  CHECK(augment(two, {}).left_alone == LeftAlone::few_rows);
  Vectors same(10, 8);
  for (std::size_t i = 0; i < same.rows(); ++i) same.row(i)[3] = 1;
  CHECK(augment(same, {}).left_alone == LeftAlone::no_spread);
  CHECK(same.row(9)[3] == 1);
}

TEST_CASE("augmented rows have nothing of the mean left, so that queries may come as they are") {
  Vectors vectors = fixture::clustered_rows(200, 32, 4, .2F, 9, 20);
  std::vector<double> mean(32);
  for (std::size_t i = 0; i < vectors.rows(); ++i)
    for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += static_cast<double>(vectors.row(i)[c]);
  normalise(mean);
  REQUIRE(std::abs(product(mean, {vectors.row(0).begin(), vectors.row(0).end()})) > .1);
  augment(vectors, {.iterations = 2});
  for (std::size_t i = 0; i < vectors.rows(); ++i)
    REQUIRE(product(mean, {vectors.row(i).begin(), vectors.row(i).end()}) == Approx(0).margin(1e-5));
}

TEST_CASE("an augmentation without neighbours, or with an alpha that is none, is refused") {
  Vectors vectors = fixture::random_rows(5, 8, 10);
  CHECK_THROWS_AS(augment(vectors, {.neighbours = 0}), UsageError);
  CHECK_THROWS_AS(augment(vectors, {.alpha = -1}), UsageError);
  CHECK_THROWS_AS(augment(vectors, {.alpha = std::nan("")}), UsageError);
}

TEST_CASE("an augmented set has the same rows, its encoder's fingerprint, and says what it is") {
  const TemporaryFolder folder;
  const Vectors vectors = fixture::clustered_rows(100, 16, 4, .1F, 11);
  std::vector<float> values;
  for (std::size_t i = 0; i < vectors.rows(); ++i)
    values.insert(values.end(), vectors.row(i).begin(), vectors.row(i).end());
  fixture::write_set(folder, "raw", values, 16, {"cat", "dog"},
                     {.encoder = "net", .fingerprint = std::string(64, 'a')});
  augment_set(folder / "raw", folder / "better", false, {});
  const EmbeddingSet raw = EmbeddingSet::open(folder / "raw"), better = EmbeddingSet::open(folder / "better");
  REQUIRE(better.rows() == 100);
  CHECK(better.row(42) == raw.row(42));
  CHECK(better.manifest()->fingerprint == raw.manifest()->fingerprint);
  CHECK(better.manifest()->augmentation.find("\"iterations\"") != std::string::npos);

  SECTION("it is not augmented again, and not replaced unasked") {
    CHECK_THROWS_AS(augment_set(folder / "better", folder / "twice", false, {}), Incompatible);
    CHECK_THROWS_AS(augment_set(folder / "raw", folder / "better", false, {}), OutputError);
    CHECK_THROWS_AS(augment_set(folder / "raw", folder / "raw", true, {}), UsageError);
  }
  SECTION("an index keeps that, and its export too, and gives the same augmentation") {
    build_index({folder / "better"}, folder / "x.cbir", {});
    CHECK(Index::open(folder / "x.cbir").info().augmentation == better.manifest()->augmentation);
    export_index(folder / "x.cbir", folder / "again", false);
    CHECK(EmbeddingSet::open(folder / "again").manifest()->augmentation == better.manifest()->augmentation);
    build_index({folder / "raw"}, folder / "raw.cbir", {});
    augment_set(folder / "raw.cbir", folder / "from_index", false, {});
    CHECK(EmbeddingSet::open(folder / "from_index").manifest()->npy_xxh3 == better.manifest()->npy_xxh3);
  }
  SECTION("it does not go into one index with rows that are not") {
    CHECK_THROWS_AS(build_index({folder / "raw", folder / "better"}, folder / "y.cbir", {}), Incompatible);
    build_index({folder / "raw"}, folder / "y.cbir", {});
    CHECK_THROWS_AS(add_to_index(folder / "y.cbir", {folder / "better"}, {}), Incompatible);
    build_index({folder / "better"}, folder / "z.cbir", {});
    CHECK_THROWS_AS(merge_indexes({folder / "y.cbir", folder / "z.cbir"}, folder / "m.cbir", {}), Incompatible);
  }
}
