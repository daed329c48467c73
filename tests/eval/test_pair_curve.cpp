#include "lib/eval/pair_curve.hpp"

#include <algorithm>
#include <functional>

#include <cbir/base/random.hpp>
#include <tests/catch.hpp>

#include "lib/eval/threshold.hpp"

using namespace cbir;

namespace {

struct Pair {
  float score = 0;
  bool right = false;
};

/// Few different scores, so that many are equal; right ones tend to be higher.
std::vector<Pair> random_pairs(std::size_t count, std::uint64_t seed, std::uint64_t different) {
  SplitMix64 random(seed);
  std::vector<Pair> pairs(count);
  for (Pair& pair : pairs) {
    pair.right = random.below(5) == 0;
    const std::uint64_t best = std::max(random.below(different), pair.right ? random.below(different) : 0);
    pair.score = static_cast<float>(static_cast<std::int64_t>(best) - static_cast<std::int64_t>(different / 3)) / 64;
  }
  return pairs;
}

/// By sorting, from the definition: a point at each different score of right pairs.
std::vector<PairPoint> sorted_points(std::vector<Pair> pairs) {
  std::ranges::sort(pairs, std::greater<>(), &Pair::score);
  std::vector<PairPoint> points;
  PairPoint sum;
  for (std::size_t i = 0; i < pairs.size();) {
    bool any_right = false;
    const float score = pairs[i].score;
    for (; i < pairs.size() && pairs[i].score == score; ++i) {
      ++(pairs[i].right ? sum.right : sum.wrong);
      any_right = any_right || pairs[i].right;
    }
    sum.threshold = static_cast<double>(score);
    if (any_right) points.push_back(sum);
  }
  return points;
}

PairCounter counter_of(const std::vector<Pair>& pairs) {
  std::vector<RightPair> right;
  for (const Pair& pair : pairs)
    if (pair.right) right.push_back({static_cast<double>(pair.score), 0});
  return {right, 1};
}

bool same(const PairPoint& a, const PairPoint& b) {
  return a.threshold == b.threshold && a.right == b.right && a.wrong == b.wrong;
}

/// The pairs as queries of 10 rows each, with a row before all that does not count.
ThresholdSearch searched(const std::vector<Pair>& pairs, double precision) {
  struct Query {
    std::vector<float> scores{1e6F};
    std::vector<std::uint32_t> relevant;
  };
  std::vector<Query> queries;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i % 10 == 0) queries.emplace_back();
    Query& query = queries.back();
    if (pairs[i].right) query.relevant.push_back(static_cast<std::uint32_t>(query.scores.size()));
    query.scores.push_back(pairs[i].score);
  }
  const std::uint32_t first = 0;
  std::vector<JudgedRow> rows;
  for (const Query& query : queries) rows.push_back({query.scores, query.relevant, {&first, 1}});
  const auto source = [&](std::size_t step, const auto& consume) {
    std::vector<JudgedRow> asked;
    for (std::size_t i = 0; i < rows.size(); i += step) asked.push_back(rows[i]);
    consume(asked);
  };
  return find_threshold(source, rows.size(), precision);
}

}  // namespace

TEST_CASE("Pairs are counted as sorting would count them") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const std::vector<Pair> pairs = random_pairs(1 + 37 * seed, seed, 1 + seed * seed);
    PairCounter counter = counter_of(pairs);
    std::vector<float> scores;
    std::vector<std::uint32_t> right;
    for (const Pair& pair : pairs) {
      if (pair.right) right.push_back(static_cast<std::uint32_t>(scores.size()));
      scores.push_back(pair.score);
    }
    counter.count_wrong(0, scores, right);
    INFO("seed " << seed);
    CHECK(std::ranges::equal(counter.points(), sorted_points(pairs), same));
  }
}

TEST_CASE("Points of a group are those of its pairs alone") {
  PairCounter counter({{.9, 0}, {.5, 1}, {.5, 0}}, 2);
  counter.count_wrong(0, std::vector<double>{.95, .6});
  counter.count_wrong(1, std::vector<double>{.7, .1});
  CHECK(std::ranges::equal(counter.points(0), std::vector<PairPoint>{{.9, 1, 1}, {.5, 2, 2}}, same));
  CHECK(std::ranges::equal(counter.points(1), std::vector<PairPoint>{{.5, 1, 1}}, same));
  CHECK(std::ranges::equal(counter.points(), std::vector<PairPoint>{{.9, 1, 1}, {.5, 3, 3}}, same));
}

TEST_CASE("Without a right pair there is no point") {
  PairCounter counter({}, 1);
  counter.count_wrong(0, std::vector<double>{.5});
  CHECK(counter.points().empty());
  CHECK(average_precision(counter.points(), 3) == 0);
  CHECK_FALSE(lowest_with_precision(counter.points(), .1));
}

TEST_CASE("The threshold of a precision is the lowest that holds it, though a higher one may not") {
  const std::vector<PairPoint> points = {{.9, 1, 1}, {.8, 9, 1}, {.7, 10, 9}};
  CHECK(lowest_with_precision(points, .9)->threshold == .8);  // 9 of 10 is .9
  CHECK(lowest_with_precision(points, .5)->threshold == .7);
  CHECK_FALSE(lowest_with_precision(points, .91));
}

TEST_CASE("Interpolated precision never rises with recall") {
  const std::vector<PairPoint> points = {{.9, 1, 1}, {.8, 3, 1}, {.7, 4, 4}};
  const auto at = interpolated_precision(points, 5);  // recalls of .2, .6 and .8
  CHECK(at[0] == .75);
  CHECK(at[60] == .75);
  CHECK(at[61] == .5);
  CHECK(at[80] == .5);
  CHECK(at[81] == 0);
}

TEST_CASE("A threshold is found in passes as sorting would find it") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::vector<Pair> pairs = random_pairs(1 + 53 * seed, seed, 1 + 7 * seed * seed);
    const auto points = sorted_points(pairs);
    for (const double precision : {.05, .2, .5, .75, .9, 1.0}) {
      INFO("seed " << seed << ", precision " << precision);
      const auto expected = lowest_with_precision(points, precision);
      const ThresholdSearch found = searched(pairs, precision);
      CHECK(found.lowest.has_value() == expected.has_value());
      if (expected && found.lowest) CHECK(same(*found.lowest, *expected));
      if (!points.empty()) CHECK(found.relevant == points.back().right);
    }
  }
}

TEST_CASE("Where there are many queries, some of them tell where to look, and no more than that") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    std::vector<Pair> pairs = random_pairs(20000, seed, 5000);
    if (seed > 3)  // those that are asked for the guess are not like all
      for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].score += i / 10 % 32 == 0 ? 50.0F : 0.0F;
    const auto points = sorted_points(pairs);
    for (const double precision : {.2, .3, .5, .99}) {
      INFO("seed " << seed << ", precision " << precision);
      const auto expected = lowest_with_precision(points, precision);
      const ThresholdSearch found = searched(pairs, precision);
      REQUIRE(found.lowest.has_value() == expected.has_value());
      if (expected) CHECK(same(*found.lowest, *expected));
    }
  }
}

TEST_CASE("Thresholds are told apart that differ in the last bit of a float") {
  const float one = 1, less = std::nextafter(one, 0.0F), least = std::nextafter(less, 0.0F);
  const auto found = searched({{one, true}, {less, true}, {least, false}, {least, true}}, .9);
  REQUIRE(found.lowest);
  CHECK(found.lowest->threshold == static_cast<double>(less));
  CHECK(found.lowest->right == 2);
}

TEST_CASE("Zeros of both signs, and negative scores, keep their order") {
  const auto found = searched({{0.0F, true}, {-0.0F, false}, {-1, true}, {-2, true}, {-3, false}, {-4, true}}, .75);
  REQUIRE(found.lowest);
  CHECK(found.lowest->threshold == -2);
  CHECK(found.lowest->wrong == 1);
}

TEST_CASE("Where no threshold holds the precision, the best that was seen is told") {
  const auto found = searched({{.9F, false}, {.8F, true}, {.7F, true}, {.1F, false}}, .9);
  CHECK_FALSE(found.lowest);
  CHECK(found.best.precision() == Approx(2.0 / 3));
}
