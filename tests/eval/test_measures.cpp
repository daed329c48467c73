#include "lib/eval/measures.hpp"

#include <cmath>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

#include "lib/eval/best.hpp"

using namespace cbir;

namespace {

using Ranks = std::vector<std::uint64_t>;

/// The measure of one ranking, by name.
double measured(const char* name, const Ranks& ranks, std::uint64_t relevant) {
  const RankMeasures measures({2, 5}, 10);
  std::vector<double> values(measures.size());
  measures.measure(ranks, relevant, values);
  const auto names = measures.names();
  const auto found = std::ranges::find(names, name);
  REQUIRE(found != names.end());
  return values[static_cast<std::size_t>(found - names.begin())];
}

}  // namespace

TEST_CASE("A perfect ranking has 1 everywhere, but what divides by more than there is") {
  for (const char* name : {"map", "mrr", "r_precision", "map@r", "p@2", "hit@2", "hit@5", "ndcg@2", "ndcg@5", "r@5"})
    CHECK(measured(name, {1, 2, 3}, 3) == Approx(1));
  CHECK(measured("r@2", {1, 2, 3}, 3) == Approx(2.0 / 3));
  CHECK(measured("p@5", {1, 2, 3}, 3) == Approx(3.0 / 5));
}

TEST_CASE("Relevant items that the ranking lacks are found at no rank") {
  CHECK(measured("map", {2}, 4) == Approx(1.0 / 2 / 4));
  CHECK(measured("map@r", {2}, 4) == Approx(1.0 / 2 / 4));
  CHECK(measured("r_precision", {2}, 4) == Approx(1.0 / 4));
  CHECK(measured("ndcg@2", {2}, 4) == Approx((1 / std::log2(3)) / (1 + 1 / std::log2(3))));
  for (const char* name : {"map", "mrr", "r_precision", "map@r", "p@2", "r@5", "hit@5", "ndcg@5"})
    CHECK(measured(name, {}, 4) == 0);
}

TEST_CASE("mAP@R stops at rank R, average precision does not") {
  CHECK(measured("map@r", {1, 4}, 2) == Approx(.5));
  CHECK(measured("map", {1, 4}, 2) == Approx((1 + .5) / 2));
}

TEST_CASE("Cut-offs are from 1, and each stands once") {
  CHECK_THROWS_AS(RankMeasures({0}, 1), UsageError);
  CHECK_THROWS_AS(RankMeasures({3, 1, 3}, 1), UsageError);
  CHECK(RankMeasures({}, 1).names() == std::vector<std::string>{"map", "mrr", "r_precision", "map@r"});
}

TEST_CASE("Interpolated precision at a recall is the best at any rank that reaches it") {
  PrecisionCurve curve;
  CHECK(curve.mean().empty());
  curve.add(Ranks{2, 3, 10}, 4);  // precisions .5, .667, .3 at recalls of .25, .5, .75
  const auto one = curve.mean();
  REQUIRE(one.size() == 101);
  CHECK(one[0] == Approx(2.0 / 3));
  CHECK(one[50] == Approx(2.0 / 3));
  CHECK(one[51] == Approx(.3));
  CHECK(one[75] == Approx(.3));
  CHECK(one[76] == 0);  // never reached
  PrecisionCurve other;
  other.add(Ranks{1}, 1);
  curve.add(other);
  CHECK(curve.mean()[100] == Approx(.5));
}

TEST_CASE("The best positions: by score, then by position") {
  const std::vector<float> scores{.1F, .9F, .5F, .9F, .5F, .5F};
  using Positions = std::vector<std::uint32_t>;
  CHECK(best_positions(scores, 4, std::nullopt) == Positions{1, 3, 2, 4});
  CHECK(best_positions(scores, 4, 2) == Positions{1, 3, 4, 5});
  CHECK(best_positions(scores, 10, 1) == Positions{3, 2, 4, 5, 0});
  CHECK(best_positions(scores, 0, std::nullopt).empty());
}
