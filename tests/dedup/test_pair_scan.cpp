#include <lib/dedup/pair_scan.hpp>

#include <algorithm>
#include <mutex>
#include <random>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <lib/dedup/linkage.hpp>
#include <lib/index/aligned.hpp>
#include <lib/index/flat_kernels.hpp>
#include <lib/index/plain_scan.hpp>
#include <tests/catch.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

using Pairs = std::vector<std::tuple<std::uint32_t, std::uint32_t, float>>;

/// Rows as the scan takes them.
class Rows {
 public:
  Rows(std::size_t rows, std::size_t dim) : dim_(dim), data_(rows * padded_dim(dim)), rows_(rows) {}
  MatrixView<const float> view() const { return {data_.data(), rows_, padded_dim(dim_)}; }
  std::span<float> operator[](std::size_t i) { return {data_.data() + i * padded_dim(dim_), dim_}; }
  void normalise() {
    for (std::size_t i = 0; i < rows_; ++i) REQUIRE(prepare_vector((*this)[i], true) == VectorState::fine);
  }

 private:
  std::size_t dim_;
  AlignedFloats data_;
  std::size_t rows_;
};

/// Rows that lie along few directions, in bunches of near-duplicates: row i is like row i - i % bunch.
Rows bunches(std::size_t count, std::size_t dim, std::size_t bunch, float noise, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Rows rows(count, dim);
  std::vector<float> directions(8 * dim), at(8);
  for (float& x : directions) x = normal(generator);
  for (std::size_t i = 0; i < count; ++i) {
    if (i % bunch == 0)
      for (float& x : at) x = normal(generator);
    for (std::size_t d = 0; d < dim; ++d) {
      rows[i][d] = noise * normal(generator) + 1;
      for (std::size_t j = 0; j < at.size(); ++j) rows[i][d] += at[j] * directions[j * dim + d];
    }
  }
  rows.normalise();
  return rows;
}

/// Rows of small whole numbers: many scores are equal, to the bit, and many rows are.
Rows whole_numbers(std::size_t count, std::size_t dim, unsigned seed) {
  std::mt19937 generator(seed);
  Rows rows(count, dim);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t d = 0; d < dim; ++d) rows[i][d] = d < 6 ? static_cast<float>(generator() % 3) : 0;
  return rows;
}

Pairs scan(const Rows& queries, const Rows& rows, Metric metric, float threshold, FirstPass pass) {
  Pairs found;
  std::mutex mutex;
  scan_pairs(
      queries.view(), rows.view(), metric, threshold,
      [&](const FoundRows& some) {
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < some.rows.size(); ++i) found.emplace_back(some.query, some.rows[i], some.scores[i]);
      },
      {}, pass);
  std::ranges::sort(found);
  return found;
}

Pairs brute_force(const Rows& queries, const Rows& rows, Metric metric, float threshold) {
  const MatrixView<const float> q = queries.view(), r = rows.view();
  std::vector<float> scores(q.rows * r.rows);
  score_all_pairs(metric, q, r, {scores.data(), q.rows, r.rows});
  Pairs found;
  for (std::uint32_t i = 0; i < q.rows; ++i)
    for (std::uint32_t j = &queries == &rows ? i + 1 : 0; j < r.rows; ++j)
      if (scores[i * r.rows + j] >= threshold) found.emplace_back(i, j, scores[i * r.rows + j]);
  return found;
}

constexpr FirstPass kPasses[] = {FirstPass::automatic, FirstPass::none, FirstPass::codes, FirstPass::sketches};

/// Each first pass finds what brute force finds, at this threshold and at those that are the score of some pair, to the
/// bit, or the next number above it.
void check_all(const Rows& queries, const Rows& rows, Metric metric, float threshold) {
  const Pairs expected = brute_force(queries, rows, metric, threshold);
  REQUIRE_FALSE(expected.empty());
  std::vector<float> thresholds = {threshold};
  for (std::size_t i = 0; i < expected.size(); i += expected.size() / 3 + 1) {
    thresholds.push_back(std::get<2>(expected[i]));
    thresholds.push_back(std::nextafter(std::get<2>(expected[i]), 1e30F));
  }
  for (const float least : thresholds) {
    Pairs wanted = expected;
    std::erase_if(wanted, [&](const auto& pair) { return std::get<2>(pair) < least; });
    for (const FirstPass pass : kPasses) {
      INFO("threshold " << least << ", first pass " << static_cast<int>(pass));
      CHECK(scan(queries, rows, metric, least, pass) == wanted);
    }
  }
}

}  // namespace

TEST_CASE("no pair is missed, and scores are those of the exact kernels") {
  for (const std::size_t dim : {24, 100, 384}) {
    const Rows rows = bunches(700, dim, 5, .2F, 1);
    INFO(dim << " dimensions");
    check_all(rows, rows, Metric::cosine, .95F);
    check_all(rows, rows, Metric::cosine, .5F);
    check_all(rows, rows, Metric::l2, -.1F);
  }
}

TEST_CASE("ties by hundreds") {
  const Rows rows = whole_numbers(500, 80, 2);
  check_all(rows, rows, Metric::l2, -3);
  check_all(rows, rows, Metric::l2, 0);
  Rows unit = whole_numbers(500, 80, 3);
  for (std::size_t i = 0; i < 500; ++i) unit[i][7] = 1;
  unit.normalise();
  check_all(unit, unit, Metric::cosine, .9F);
}

TEST_CASE("hundreds of rows that are the same") {
  Rows rows = bunches(400, 200, 2, .3F, 4);
  for (std::size_t i = 50; i < 350; ++i) std::ranges::copy(rows[7], rows[i].begin());
  check_all(rows, rows, Metric::cosine, .97F);
}

TEST_CASE("rows of all lengths, very small and very large") {
  for (const float size : {1e-25F, 1e-18F, 1e-3F, 1e15F}) {
    std::mt19937 generator(5);
    Rows rows(300, 60);
    for (std::size_t i = 0; i < 300; ++i)
      for (std::size_t d = 0; d < 60; ++d)
        rows[i][d] = size * static_cast<float>(i % 3 + 1) * (static_cast<float>(generator() % 2001) / 1000 - 1);
    for (std::size_t i = 0; i < 100; ++i)
      for (std::size_t d = 0; d < 60; ++d) rows[i][d] = rows[i / 2 * 2][d] * (i % 2 ? 1.0001F : 1);
    INFO("size " << size);
    check_all(rows, rows, Metric::l2, -.001F * size * size);
  }
}

TEST_CASE("rows of one direction have no sketch but their length") {
  Rows rows(300, 64);
  for (std::size_t i = 0; i < 300; ++i) rows[i][3] = static_cast<float>(i / 2);
  check_all(rows, rows, Metric::l2, -4);
}

TEST_CASE("queries that are not the rows meet all of them") {
  const Rows rows = bunches(600, 96, 6, .2F, 6), queries = bunches(90, 96, 3, .2F, 6);
  check_all(queries, rows, Metric::cosine, .9F);
  check_all(queries, rows, Metric::l2, -.2F);
  check_all(rows, queries, Metric::cosine, .9F);
}

TEST_CASE("a first pass is chosen by its cost") {
  // Enough rows for sketches to be considered: along few directions they pay, of noise they do not.
  const Rows along_few = bunches(5000, 320, 4, .2F, 7), noise = bunches(5000, 320, 4, 50, 8);
  check_all(along_few, along_few, Metric::cosine, .98F);
  check_all(noise, noise, Metric::cosine, .17F);
}

TEST_CASE("any instruction set finds all pairs") {
  const Rows rows = bunches(300, 150, 5, .2F, 9);
  fixture::for_each_target([&] { check_all(rows, rows, Metric::cosine, .95F); });
  fixture::for_each_target([&] { check_all(rows, rows, Metric::l2, -.1F); });
}

TEST_CASE("rows of a query ascend, and what was done is told to the end") {
  const Rows rows = bunches(3000, 48, 300, .1F, 10);
  std::vector<std::uint32_t> last(3000);
  std::uint64_t done = 0, all = 0;
  bool ascending = true;
  for (const FirstPass pass : kPasses) {
    std::ranges::fill(last, 0U);
    scan_pairs(
        rows.view(), rows.view(), Metric::cosine, .9F,
        [&](const FoundRows& some) {
          for (const std::uint32_t row : some.rows) {
            ascending = ascending && row > std::max(last[some.query], some.query);
            last[some.query] = row;
          }
        },
        [&](std::uint64_t now, std::uint64_t pairs) {
          done = now;
          all = pairs;
        },
        pass);
    CHECK(ascending);
    CHECK(done == 3000 * 2999 / 2);
    CHECK(all == done);
  }
}

TEST_CASE("few rows, or none") {
  const Rows none(0, 32), one = bunches(1, 32, 1, .1F, 11), two = bunches(2, 32, 2, .01F, 12);
  for (const FirstPass pass : kPasses) {
    CHECK(scan(none, none, Metric::cosine, .5F, pass).empty());
    CHECK(scan(one, none, Metric::cosine, .5F, pass).empty());
    CHECK(scan(one, one, Metric::cosine, .5F, pass).empty());
    CHECK(scan(two, two, Metric::cosine, .5F, pass).size() == 1);
  }
}
