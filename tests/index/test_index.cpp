#include <algorithm>
#include <cmath>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <lib/index/scan_reference.hpp>
#include <lib/index/topk.hpp>
#include <tests/catch.hpp>
#include <tests/index/index_fixture.hpp>

using namespace cbir;
using fixture::build;
using fixture::random_vectors;

namespace {

using Ranking = std::vector<std::vector<Hit>>;

bool identical(const Ranking& a, const Ranking& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return std::ranges::equal(x, y, [](const Hit& p, const Hit& q) { return p.id == q.id && p.score == q.score; });
  });
}

/// Scores one pair at a time, sorts everything.
std::vector<Hit> by_hand(const Index& index, std::span<const float> query, std::size_t k) {
  std::vector<float> q(padded_dim(index.dim()));
  std::ranges::copy(query, q.begin());
  std::vector<Hit> hits;
  for (std::uint64_t i = 0; i < index.size(); ++i) {
    std::vector<float> row(q.size());
    std::ranges::copy(index.vector(i), row.begin());
    float score = 0;
    const MatrixView<const float> a(q.data(), 1, q.size()), b(row.data(), 1, q.size());
    if (index.info().metric == Metric::l2) negative_squared_distances(a, b, {&score, 1, 1});
    else inner_products(a, b, {&score, 1, 1});
    hits.push_back({i, score});
  }
  std::sort(hits.begin(), hits.end(), ranks_before);
  hits.resize(std::min(k, hits.size()));
  return hits;
}

}  // namespace

TEST_CASE("search finds what scoring every pair by hand finds") {
  const TemporaryFolder folder;
  const std::size_t dim = 20;
  std::vector<float> vectors = random_vectors(900, dim, 1);
  for (std::size_t i = 0; i < dim; ++i)
    vectors[700 * dim + i] = vectors[3 * dim + i];  // twins: the lower id comes first
  for (const Metric metric : {Metric::cosine, Metric::dot, Metric::l2}) {
    const Index index = Index::open(build(folder, vectors, dim, metric));
    for (const std::size_t k : {1, 7, 900, 5000}) {
      const Ranking found = index.search({index.vector(3).data(), 1, dim}, k);
      CHECK(identical(found, {by_hand(index, index.vector(3), k)}));
      CHECK(found[0].size() == std::min<std::size_t>(k, 900));
    }
    if (metric == Metric::dot) continue;
    const Ranking found = index.search({index.vector(3).data(), 1, dim}, 2);
    CHECK(found[0][0].id == 3);
    CHECK(found[0][1].id == 700);
    CHECK(found[0][0].score == Approx(metric == Metric::cosine ? 1 : 0).margin(1e-6));
  }
}

TEST_CASE("results do not depend on threads or on how queries are batched") {
  const TemporaryFolder folder;
  const std::size_t dim = 128, count = 300;
  const Index index = Index::open(build(folder, random_vectors(20'000, dim, 1), dim, Metric::cosine));
  const std::vector<float> queries = random_vectors(count, dim, 2);
  const MatrixView<const float> all(queries.data(), count, dim);
  Ranking one_by_one;
  for (std::size_t q = 0; q < count; q += 29) one_by_one.push_back(index.search({all.row(q).data(), 1, dim}, 10)[0]);
  for (const std::size_t threads : {1, 2, 4}) {
    const ThreadLimit limit(threads);
    const Ranking batch = index.search(all, 10);
    Ranking some;
    for (std::size_t q = 0; q < count; q += 29) some.push_back(batch[q]);
    CHECK(identical(some, one_by_one));
  }
}

TEST_CASE("score_all gives every score once, as search does") {
  const TemporaryFolder folder;
  const std::size_t dim = 33, count = 41;
  const Index index = Index::open(build(folder, random_vectors(300, dim, 1), dim, Metric::l2));
  const std::vector<float> queries = random_vectors(count, dim, 2);
  const MatrixView<const float> all(queries.data(), count, dim);
  const Ranking ranking = index.search(all, 300);
  std::vector<int> seen(count);
  std::size_t wrong = 0;
  std::mutex mutex;
  index.score_all(all, [&](std::size_t first, MatrixView<const float> scores) {
    const std::lock_guard lock(mutex);
    for (std::size_t q = 0; q < scores.rows; ++q) {
      ++seen[first + q];
      for (const Hit& hit : ranking[first + q]) wrong += scores.row(q)[hit.id] != hit.score;
    }
  });
  CHECK(wrong == 0);
  CHECK(seen == std::vector<int>(count, 1));
}

TEST_CASE("queries that cannot be compared are refused by number") {
  const TemporaryFolder folder;
  const Index index = Index::open(build(folder, random_vectors(5, 4, 1), 4, Metric::cosine));
  std::vector<float> queries = random_vectors(3, 4, 2);
  const auto refusal = [&]() -> std::string {
    try {
      index.search({queries.data(), 3, 4}, 1);
    } catch (const DamagedFile& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THROWS_AS(index.search({queries.data(), 2, 5}, 1), Incompatible);
  std::fill(queries.begin() + 4, queries.begin() + 8, 0.0F);
  CHECK(refusal().starts_with("query 1 "));
  queries[5] = NAN;
  CHECK(refusal().starts_with("query 1 "));
  CHECK(index.search({queries.data(), 0, 4}, 1).empty());
  CHECK(index.search({queries.data(), 1, 4}, 0)[0].empty());
}

TEST_CASE("a row that is not there is refused") {
  const TemporaryFolder folder;
  const Index index = Index::open(build(folder, random_vectors(5, 4, 1), 4, Metric::cosine));
  CHECK_THROWS_AS(index.row(5), UsageError);
  CHECK_THROWS_AS(index.vector(UINT64_MAX), UsageError);
}
