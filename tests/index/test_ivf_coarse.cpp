#include <lib/index/ivf_coarse.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <lib/index/int8_kernels.hpp>
#include <lib/index/scan_kernels.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

constexpr std::size_t kDim = 48;

/// Centroids with a common part, in memory of its own.
struct Lists {
  std::vector<float> centroids, mean;
  IvfModel model;

  Lists(std::size_t count, Metric metric, float common, unsigned seed)
      : centroids(fixture::random_vectors(count, kDim, seed)) {
    const std::vector<float> shared = fixture::random_vectors(1, kDim, 99);
    mean.assign(kDim, 0);
    for (std::size_t i = 0; i < centroids.size(); ++i) {
      centroids[i] += common * shared[i % kDim];
      mean[i % kDim] += centroids[i] / static_cast<float>(count);
    }
    refer(metric);
  }

  void refer(Metric metric) {
    model.metric = metric;
    model.centroids = {centroids.data(), centroids.size() / kDim, kDim};
    model.mean = mean;
  }

  /// The nearest lists by exact score, of equal ones the first, in ascending order.
  std::vector<std::uint32_t> nearest(std::span<const float> query, std::size_t probe) const {
    std::vector<std::uint32_t> all(model.lists());
    std::iota(all.begin(), all.end(), 0U);
    std::vector<float> scores(all.size());
    score_rows(model.metric, query, model.centroids, all, scores.data());
    std::ranges::stable_sort(all, [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
    all.resize(std::min(probe, all.size()));
    std::ranges::sort(all);
    return all;
  }

  std::vector<std::uint32_t> left(std::span<const float> query, std::size_t probe) const {
    IvfCoarse::Scratch scratch;
    std::vector<std::uint32_t> lists;
    IvfCoarse(model).select(query, probe, scratch, lists);
    return lists;
  }

  bool keeps_the_nearest(std::span<const float> query, std::size_t probe) const {
    return std::ranges::includes(left(query, probe), nearest(query, probe));
  }
};

}  // namespace

TEST_CASE("codes of centroids leave out none of the nearest, and most of the others") {
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    for (const float common : {0.F, 5.F}) {
      const Lists lists(400, metric, common, 3);
      const std::vector<float> queries = fixture::random_vectors(20, kDim, 4);
      std::size_t left = 0;
      for (std::size_t q = 0; q < 20; ++q) {
        const std::span query(queries.data() + q * kDim, kDim);
        for (const std::size_t probe : {1, 4, 40, 399, 400, 1000}) CHECK(lists.keeps_the_nearest(query, probe));
        left += lists.left(query, 4).size();
      }
      CHECK(left < 20 * 60);
    }
  }
}

TEST_CASE("centroids that tie, are nearly equal, or of very different length lose nothing") {
  for (const Metric metric : {Metric::dot, Metric::l2}) {
    Lists lists(300, metric, 1, 5);
    for (std::size_t i = 0; i < 100 * kDim; ++i) lists.centroids[i] = lists.centroids[i % kDim];  // the same
    for (std::size_t i = 100; i < 200; ++i)
      lists.centroids[i * kDim] = lists.centroids[0] + 1e-6F * static_cast<float>(i);
    for (std::size_t d = 0; d < kDim; ++d) lists.centroids[250 * kDim + d] *= 1e4F;
    for (std::size_t d = 0; d < kDim; ++d) lists.centroids[251 * kDim + d] = 0;
    const std::vector<float> queries = fixture::random_vectors(10, kDim, 6);
    for (std::size_t q = 0; q < 10; ++q)
      for (const std::size_t probe : {1, 7, 120})
        CHECK(lists.keeps_the_nearest({queries.data() + q * kDim, kDim}, probe));
    CHECK(lists.keeps_the_nearest(lists.mean, 5));
    CHECK(lists.keeps_the_nearest(std::vector<float>(kDim, 0), 5));
  }
}

TEST_CASE("where numbers are too large for bounds, or none, every list is left") {
  Lists lists(50, Metric::dot, 0, 7);
  const std::vector<float> query = fixture::random_vectors(1, kDim, 8);
  for (const float x : {1e30F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    std::vector<float> strange = query;
    strange[3] = x;
    CHECK(lists.left(strange, 2).size() == 50);
    Lists damaged = lists;
    damaged.refer(Metric::dot);
    damaged.centroids[20] = x;
    CHECK(damaged.left(query, 2).size() == 50);
  }
}

TEST_CASE("every instruction set leaves the same lists") {
  const Lists lists(333, Metric::cosine, 2, 9);
  const std::vector<float> query = fixture::random_vectors(1, kDim, 10);
  const auto expected = lists.left(query, 9);
  fixture::for_each_target(int8_target, [&](const std::string&) { CHECK(lists.left(query, 9) == expected); });
}
