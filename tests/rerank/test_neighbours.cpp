#include <cbir/base/parallel.hpp>
#include <cbir/rerank/neighbours.hpp>
#include <tests/catch.hpp>

#include "clusters.hpp"

using namespace cbir;

namespace {

/// What nearest_neighbours is to find, by sorting everything.
std::vector<std::uint32_t> sorted_neighbours(const Vectors& vectors, std::size_t i, std::size_t k) {
  std::vector<std::pair<float, std::uint32_t>> all;
  for (std::size_t j = 0; j < vectors.rows(); ++j)
    if (j != i)
      all.emplace_back(static_cast<float>(-fixture::inner_product(vectors.row(i), vectors.row(j))),
                       static_cast<std::uint32_t>(j));
  std::sort(all.begin(), all.end());
  std::vector<std::uint32_t> rows;
  for (std::size_t n = 0; n < k; ++n) rows.push_back(all[n].second);
  return rows;
}

}  // namespace

TEST_CASE("the neighbours of a row are the nearest others, best first") {
  const Vectors vectors = fixture::random_rows(2500, 20, 1);  // more than are scored together
  const Neighbours found = nearest_neighbours(vectors, 7);
  REQUIRE(found.k == 7);
  for (const std::size_t i : {std::size_t{0}, std::size_t{100}, std::size_t{2499}}) {
    const auto rows = found.rows_of(i);
    CHECK(std::vector<std::uint32_t>(rows.begin(), rows.end()) == sorted_neighbours(vectors, i, 7));
    CHECK(found.scores_of(i)[0] == Approx(fixture::inner_product(vectors.row(i), vectors.row(rows[0]))).margin(1e-6));
  }
}

TEST_CASE("rows with the same score are neighbours in the order of their numbers") {
  Vectors vectors(5, 3);
  for (std::size_t i = 0; i < 5; ++i) vectors.row(i)[i == 2 ? 1 : 0] = 1;
  const Neighbours found = nearest_neighbours(vectors, 2);
  CHECK(found.rows_of(4)[0] == 0);
  CHECK(found.rows_of(4)[1] == 1);
  CHECK(found.rows_of(0)[0] == 1);
  CHECK(found.rows_of(0)[1] == 3);
}

TEST_CASE("no row has more neighbours than there are others") {
  const Vectors vectors = fixture::random_rows(4, 5, 2);
  CHECK(nearest_neighbours(vectors, 100).k == 3);
  CHECK(nearest_neighbours(fixture::random_rows(1, 5, 2), 100).rows.empty());
}

TEST_CASE("neighbours do not depend on the number of threads") {
  const Vectors vectors = fixture::random_rows(700, 33, 3);
  const ThreadLimit one(1);
  const Neighbours alone = nearest_neighbours(vectors, 10);
  const ThreadLimit many(4);
  const Neighbours together = nearest_neighbours(vectors, 10);
  CHECK(alone.rows == together.rows);
  CHECK(alone.scores == together.scores);
}
