#include <cbir/eval/compare.hpp>

#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// Queries "0", "1", ... with these values of one measure.
Scores scores_of(const std::vector<double>& values) {
  Scores scores{.protocol = "labels", .measures = {"map"}};
  for (const double value : values)
    scores.queries.push_back({.query = std::to_string(scores.queries.size()), .values = {value}});
  return scores;
}

/// The test on one measure.
MeasureComparison compared(const std::vector<double>& a, const std::vector<double>& b,
                           const BootstrapOptions& options = {.resamples = 1000}) {
  return compare_scores(scores_of(a), scores_of(b), {.bootstrap = options}).measures.at(0);
}

/// As many values as wanted, and the same moved by `shift` and some noise.
std::pair<std::vector<double>, std::vector<double>> noisy(std::size_t count, double shift) {
  SplitMix64 random(5);
  std::pair<std::vector<double>, std::vector<double>> both;
  for (std::size_t i = 0; i < count; ++i) {
    both.first.push_back(static_cast<double>(random.below(1000)) / 1000);
    both.second.push_back(both.first.back() + shift + (static_cast<double>(random.below(1001)) / 1000 - .5) / 5);
  }
  return both;
}

}  // namespace

TEST_CASE("A comparison, worked by hand") {
  const auto found = compared({.5, .2, .3, .4}, {.75, .45, .2, .4});
  CHECK(found.a == Approx(.35));
  CHECK(found.b == Approx(.45));
  CHECK(found.difference == Approx(.1));
  CHECK(found.better == 2);
  CHECK(found.worse == 1);
  CHECK(found.equal == 1);
  CHECK(found.queries == 4);
  // Differences .25, .25, -.1: of the eight sums, .4 (as seen), .6, -.4 and -.6 are as far from 0.
  CHECK(found.p_value == .5);
  CHECK(found.exact);
  CHECK(found.interval.low == Approx(-.05).margin(.03));  // a resample of mostly the third
  CHECK(found.interval.high == Approx(.25).margin(.07));
}

TEST_CASE("Of ranks the lower ones are better") {
  const auto ranks_of = [](const std::vector<double>& ranks) {
    Scores scores = scores_of(ranks);
    scores.measures = {"t2i_rank"};
    return scores;
  };
  const auto found = compare_scores(ranks_of({3, 5, 9, 4, 2}), ranks_of({1, 2, 4, 1, 2}), {}).measures.at(0);
  CHECK(found.difference == Approx(-2.6));
  CHECK(found.better == 4);
  CHECK(found.worse == 0);
  CHECK(found.equal == 1);
  CHECK(found.verdict() == 1);
  CHECK(compare_scores(ranks_of({1, 2, 4, 1, 2}), ranks_of({3, 5, 9, 4, 2}), {}).measures.at(0).verdict() == -1);
}

TEST_CASE("All better: only the sums of all signs alike are as far") {
  const std::vector<double> a(10, .25), b(10, .5);
  CHECK(compared(a, b).p_value == 2.0 / 1024);
  CHECK(compared(b, a).p_value == 2.0 / 1024);
  CHECK(compared(b, a).difference == -.25);
}

TEST_CASE("Nothing moved: no difference, and nothing against chance") {
  const auto found = compared({.5, .25}, {.5, .25 + 1e-15});
  CHECK(found.equal == 2);
  CHECK(found.p_value == 1);
  CHECK(found.interval.low == 0);
  CHECK(found.interval.high == 0);
}

TEST_CASE("Many differences: random signs give about what all of them would") {
  // With 20 differences all signs are tried, with 21 a sample; one more that is tiny hardly changes anything.
  auto [a, b] = noisy(20, .02);
  const double exact = compared(a, b).p_value;
  a.push_back(.5);
  b.push_back(.5 + 1e-9);
  const auto sampled = compared(a, b, {.resamples = 20'000});
  CHECK_FALSE(sampled.exact);
  CHECK(exact > .01);
  CHECK(sampled.p_value == Approx(exact).margin(4 * std::sqrt(exact / 20'000)));
}

TEST_CASE("A sampled p-value is never 0") {
  const auto [a, b] = noisy(500, .5);
  CHECK(compared(a, b, {.resamples = 999}).p_value == 1.0 / 1000);
}

TEST_CASE("No difference is found significant about as often as it should be") {
  SplitMix64 random(9);
  int significant = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> a, b;
    for (int q = 0; q < 40; ++q) {
      a.push_back(static_cast<double>(random.below(1000)) / 1000);
      b.push_back(static_cast<double>(random.below(1000)) / 1000);
    }
    significant += compared(a, b, {.resamples = 300}).p_value <= .05;
  }
  CHECK(significant >= 2);  // of 200; 10 are expected
  CHECK(significant <= 21);
}

TEST_CASE("The same seed gives the same, with any number of threads") {
  const auto both = noisy(100, .01);
  const auto run = [&](std::size_t threads, std::uint64_t seed) {
    const ThreadLimit limit(threads);
    const auto found = compared(both.first, both.second, {.resamples = 2000, .seed = seed});
    return std::vector<double>{found.p_value, found.interval.low, found.interval.high};
  };
  CHECK(run(1, 1) == run(4, 1));
  CHECK(run(1, 1) != run(1, 2));
}

TEST_CASE("Queries are paired by name, the n-th of a name with the n-th; the others are told") {
  Scores a = scores_of({.1, .2, .3, .4}), b = scores_of({.5, .6, .7});
  a.queries[2].query = a.queries[1].query = "twice";
  b.queries[0].query = b.queries[2].query = "twice";
  b.queries[1].query = "new";
  const ComparisonOptions options{.name_a = "old.jsonl", .name_b = "new.jsonl", .bootstrap = {.resamples = 100}};
  const auto found = compare_scores(a, b, options);
  REQUIRE(found.pairs.size() == 2);
  CHECK(found.pairs[0].a == 1);
  CHECK(found.pairs[0].b == 0);
  CHECK(found.pairs[1].a == 2);
  CHECK(found.pairs[1].b == 2);
  CHECK(found.only_a == std::vector<std::string>{"0", "3"});
  CHECK(found.only_b == std::vector<std::string>{"new"});
  CHECK(remarks(found, options) == std::vector<std::string>{"2 queries in old.jsonl alone are left out: 0, 3",
                                                            "1 query in new.jsonl alone is left out: new"});
}

TEST_CASE("A measure is compared over the queries that have it in both, and must be in both") {
  Scores a = scores_of({.1, .2, kNoValue}), b = scores_of({.3, kNoValue, .4});
  a.measures.push_back("a's own");
  for (auto& query : a.queries) query.values.push_back(1);
  const auto found = compare_scores(a, b, {.bootstrap = {.resamples = 100}});
  REQUIRE(found.measures.size() == 1);
  CHECK(remarks(found, {}) == std::vector<std::string>{"1 measure in A alone is left out: a's own"});
  CHECK(found.measures[0].queries == 1);
  CHECK(found.measures[0].a == .1);
  CHECK(found.measures[0].b == .3);
  const auto none = compare_scores(scores_of({kNoValue}), scores_of({1}), {.bootstrap = {.resamples = 100}});
  CHECK(std::isnan(none.measures[0].p_value));
  CHECK(to_tsv(none, nullptr).ends_with("map\t-\t-\t-\t-\t-\t-\t0\t0\t0\t0\n"));
}

TEST_CASE("What cannot be compared is refused") {
  Scores other = scores_of({.1});
  other.protocol = "copies";
  CHECK_THROWS_AS(compare_scores(scores_of({.1}), other, {}), Incompatible);
  other = scores_of({.1});
  other.queries[0].query = "x";
  CHECK_THROWS_WITH(compare_scores(scores_of({.1}), other, {}),
                    "A and B have no query in common; they are paired by name: the one has 0, the other x");
  CHECK_THROWS_AS(compare_scores(scores_of({.1}), scores_of({}), {}), Incompatible);
  other = scores_of({.1});
  other.measures[0] = "mrr";
  CHECK_THROWS_AS(compare_scores(scores_of({.1}), other, {}), Incompatible);
}

TEST_CASE("The queries that moved most, either way, first") {
  const Scores a = scores_of({.5, .5, .5, .5}), b = scores_of({.6, .5, .1, .7});
  const auto found = compare_scores(a, b, {.bootstrap = {.resamples = 100}});
  const auto moves = most_moved(a, b, found, "map", 2);
  REQUIRE(moves.queries.size() == 2);
  CHECK(moves.queries[0].query == "2");
  CHECK(moves.queries[1].query == "3");
  CHECK(most_moved(a, b, found, "map", 9).queries.size() == 3);  // the second stayed
  CHECK_THROWS_AS(most_moved(a, b, found, "mrr", 9), UsageError);
}

TEST_CASE("A zero in a table has no sign") {
  const auto found = compare_scores(scores_of({.5}), scores_of({.5 - 1e-9}), {.bootstrap = {.resamples = 100}});
  CHECK(to_tsv(found, nullptr)
            .ends_with("map\t0.500000\t0.500000\t0.000000\t0.000000\t0.000000\t1.000000\t0\t1\t0\t1\n"));
}

TEST_CASE("Comparisons as tables and as JSON") {
  const Scores a = scores_of({.5, .25}), b = scores_of({.75, .5});
  const auto found = compare_scores(a, b, {.bootstrap = {.resamples = 100}});
  const auto moves = most_moved(a, b, found, "map", 1);
  CHECK(to_tsv(found, &moves) ==
        "measure\ta\tb\tdifference\tlow\thigh\tp\tbetter\tworse\tequal\tqueries\n"
        "map\t0.375000\t0.625000\t0.250000\t0.250000\t0.250000\t0.500000\t2\t0\t0\t2\n"
        "\n"
        "query\ta\tb\tdifference\n"
        "0\t0.500000\t0.750000\t0.250000\n");
  CHECK(to_json(found, &moves) ==
        R"({"queries":2,"only_a":[],"only_b":[],"measures":[{"measure":"map","a":0.375,"b":0.625,"difference":0.25,)"
        R"("low":0.25,"high":0.25,"p":0.5,"exact":true,"better":2,"worse":0,"equal":0,"queries":2}],)"
        R"("moved":{"measure":"map","queries":[{"query":"0","a":0.5,"b":0.75,"difference":0.25}]}})"
        "\n");
}
