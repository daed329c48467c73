#include <cbir/eval/distribution.hpp>

#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// Four bins from 0 to 1.
ScoreDistribution four(std::vector<std::uint64_t> relevant, std::vector<std::uint64_t> irrelevant) {
  return {.low = 0, .high = 1, .relevant = std::move(relevant), .irrelevant = std::move(irrelevant)};
}

}  // namespace

TEST_CASE("precision and recall of each cut-off") {
  const auto points = cut_points(four({0, 1, 2, 7}, {50, 20, 2, 0}));
  REQUIRE(points.size() == 4);
  CHECK(points[2].score == .5);
  CHECK(points[2].pairs == 11);
  CHECK(points[2].relevant == 9);
  CHECK(points[2].precision == 9. / 11);
  CHECK(points[2].recall == .9);
  CHECK(points[0].pairs == 82);
  CHECK(points[0].recall == 1);
}

TEST_CASE("the best F1, and the lowest cut-off with a precision") {
  const ScoreDistribution distribution = four({0, 1, 2, 7}, {50, 20, 2, 0});
  CHECK(cut_of_best_f1(distribution)->score == .5);  // 2 * 9 / (11 + 10) = .857, after 14 / 17 = .824
  CHECK(cut_of_precision(distribution, .8)->score == .5);
  CHECK(cut_of_precision(distribution, .9)->score == .75);
  CHECK(cut_of_precision(distribution, 1)->score == .75);
  CHECK(cut_of_precision(distribution, .1)->score == 0);
}

TEST_CASE("precision need not fall with the cut-off: the lowest is taken") {
  // From .75: 1 of 2. From .5: 10 of 11. From .25: 10 of 16.
  CHECK(cut_of_precision(four({0, 0, 9, 1}, {9, 5, 0, 1}), .9)->score == .5);
}

TEST_CASE("there need be no cut-off") {
  CHECK_FALSE(cut_of_precision(four({5, 0, 0, 0}, {5, 0, 0, 5}), .9));
  CHECK_FALSE(cut_of_precision(four({0, 0, 0, 0}, {1, 1, 1, 1}), .1));
  CHECK_FALSE(cut_of_best_f1(four({0, 0, 0, 0}, {1, 1, 1, 1})));
  // Nothing at all scores .75 or more, which is no reason to cut there.
  CHECK_FALSE(cut_of_precision(four({1, 0, 0, 0}, {1, 1, 1, 0}), .9));
  CHECK(cut_of_best_f1(four({1, 0, 0, 0}, {1, 1, 1, 0}))->score == 0);
}
