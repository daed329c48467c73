#include <lib/index/kmeans.hpp>

#include <algorithm>
#include <map>
#include <set>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;

namespace {

/// `groups` clouds of `each` rows, far from each other, in 16 dimensions.
std::vector<float> clouds(std::size_t groups, std::size_t each) {
  std::vector<float> out = fixture::random_vectors(groups * each, 16, 1);
  for (std::size_t i = 0; i < groups * each; ++i)
    out[i * 16 + i % groups % 16] += 100.0F * static_cast<float>(1 + i % groups / 16);
  return out;
}

MatrixView<const float> view(const std::vector<float>& values, std::size_t dim = 16) {
  return {values.data(), values.size() / dim, dim};
}

}  // namespace

TEST_CASE("a sample is of different rows, ascending, and the same for the same seed") {
  const std::vector<std::uint32_t> sample = sample_rows(1000, 100, 7);
  CHECK(sample.size() == 100);
  CHECK(std::adjacent_find(sample.begin(), sample.end(), std::greater_equal<>()) == sample.end());
  CHECK(sample.back() < 1000);
  CHECK(sample == sample_rows(1000, 100, 7));
  CHECK(sample != sample_rows(1000, 100, 8));
  CHECK(sample_rows(3, 100, 7) == std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("every row is assigned to the centroid that plain loops find nearest") {
  const std::vector<float> rows = fixture::random_vectors(500, 48, 2), centroids = fixture::random_vectors(300, 48, 3);
  std::vector<std::uint32_t> nearest(500);
  assign_nearest(view(rows, 48), view(centroids, 48), nearest);
  std::size_t wrong = 0;
  for (std::size_t r = 0; r < nearest.size(); ++r) {
    std::vector<double> distances;
    for (std::size_t c = 0; c < 300; ++c) {
      double sum = 0;
      for (std::size_t d = 0; d < 48; ++d) {
        const double x = static_cast<double>(rows[r * 48 + d]) - static_cast<double>(centroids[c * 48 + d]);
        sum += x * x;
      }
      distances.push_back(sum);
    }
    wrong += distances[nearest[r]] > *std::min_element(distances.begin(), distances.end()) + 1e-4;
  }
  CHECK(wrong == 0);
}

TEST_CASE("k-means finds clouds that are far apart") {
  const std::vector<float> rows = clouds(8, 50);
  const std::vector<float> centroids =
      train_kmeans(view(rows), {.clusters = 24, .rounds = 10, .sample = 64, .seed = 1});
  std::vector<std::uint32_t> nearest(400);
  assign_nearest(view(rows), view(centroids), nearest);
  std::map<std::uint32_t, std::set<std::size_t>> clouds_of;
  for (std::size_t i = 0; i < nearest.size(); ++i) clouds_of[nearest[i]].insert(i % 8);
  std::size_t mixed = 0;
  for (const auto& [cluster, members] : clouds_of) mixed += members.size() > 1;
  CHECK(mixed == 0);
  CHECK(clouds_of.size() >= 8);
}

TEST_CASE("k-means gives the same centroids with any number of threads") {
  const std::vector<float> rows = clouds(16, 100);
  const KMeansOptions options{.clusters = 40, .rounds = 5, .sample = 32, .seed = 3};
  const auto with = [&](std::size_t threads) {
    const ThreadLimit limit(threads);
    return train_kmeans(view(rows), options);
  };
  CHECK(with(1) == with(4));
}

TEST_CASE("an empty cluster takes half of the largest one") {
  // Two places, and six clusters: all but two are empty in the first round.
  std::vector<float> rows(40 * 16, 1.0F);
  std::fill(rows.begin() + 20 * 16, rows.end(), -1.0F);
  const std::vector<float> centroids = train_kmeans(view(rows), {.clusters = 6, .rounds = 3, .sample = 64, .seed = 1});
  std::set<std::vector<float>> different;
  for (std::size_t c = 0; c < 6; ++c)
    different.emplace(centroids.begin() + static_cast<std::ptrdiff_t>(c * 16),
                      centroids.begin() + static_cast<std::ptrdiff_t>(c * 16 + 16));
  CHECK(different.size() >= 3);
  for (const float x : centroids) CHECK(std::abs(x) == Approx(1).epsilon(0.01));
}

TEST_CASE("more clusters than rows, one row and zeros are no error") {
  const std::vector<float> one(16, 2.0F), zeros(16 * 40);
  CHECK(train_kmeans(view(one), {.clusters = 3}).size() == 48);
  const std::vector<float> centroids = train_kmeans(view(zeros), {.clusters = 4});
  CHECK(std::all_of(centroids.begin(), centroids.end(), [](float x) { return x == 0.0F; }));
}
