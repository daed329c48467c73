#include "lib/eval/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <cbir/base/random.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// Random scores around `middle`, of which every tenth is relevant.
std::vector<float> random_scores(std::size_t count, double middle, double spread, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<float> scores(count);
  for (float& score : scores)
    score = static_cast<float>(middle + spread * (static_cast<double>(random.below(2001)) / 1000 - 1));
  return scores;
}

ScoreHistogram histogram_of(std::span<const float> scores) {
  ScoreHistogram histogram;
  histogram.add(scores);
  for (std::size_t i = 0; i < scores.size(); i += 10) histogram.mark_relevant(scores[i]);
  return histogram;
}

void check_same(const ScoreDistribution& a, const ScoreDistribution& b) {
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK(a.relevant == b.relevant);
  CHECK(a.irrelevant == b.irrelevant);
}

}  // namespace

TEST_CASE("A histogram counts every score in the bin that it lies in") {
  const auto scores = random_scores(5000, .3, .6, 1);
  const auto all = histogram_of(scores).distribution();
  REQUIRE(all);
  const auto bins = all->relevant.size();
  CHECK(bins > 120);
  CHECK(bins <= 256);
  const double width = (all->high - all->low) / static_cast<double>(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    const double from = all->low + static_cast<double>(i) * width;
    const auto inside = std::ranges::count_if(scores, [&](float s) { return s >= from && s < from + width; });
    CHECK(all->relevant[i] + all->irrelevant[i] == static_cast<std::uint64_t>(inside));
  }
  CHECK(std::accumulate(all->relevant.begin(), all->relevant.end(), 0UL) == 500);
}

TEST_CASE("It does not matter what comes first, nor who counts") {
  struct Range {
    double middle, spread;
  };
  const auto first = GENERATE(Range{0, 1}, Range{-5, .001}, Range{1e30, 1e29}, Range{1e-30, 1e-30}, Range{0, 0});
  const auto second = GENERATE(Range{0, 1}, Range{100, .5}, Range{-1e-20, 1e-20});
  auto all = random_scores(500, first.middle, first.spread, 1);
  const auto rest = random_scores(300, second.middle, second.spread, 2);
  all.insert(all.end(), rest.begin(), rest.end());
  const auto together = histogram_of(all).distribution();

  ScoreHistogram one_by_one;
  for (std::size_t i = all.size(); i-- > 0;) {
    one_by_one.add(std::span(all).subspan(i, 1));
    if (i % 10 == 0) one_by_one.mark_relevant(all[i]);
  }
  check_same(*together, *one_by_one.distribution());

  ScoreHistogram parts = histogram_of(std::span(all).last(200));
  parts.add(histogram_of(std::span(all).first(600)));
  parts.add(ScoreHistogram{});
  check_same(*together, *parts.distribution());
}

TEST_CASE("Nothing counted, no distribution; one value, one bin") {
  CHECK_FALSE(ScoreHistogram{}.distribution());
  const std::vector<float> zeros(3, 0);
  const auto all = histogram_of(zeros).distribution();
  CHECK(all->low == 0);
  CHECK(all->high > 0);
  CHECK(all->relevant == std::vector<std::uint64_t>{1});
  CHECK(all->irrelevant == std::vector<std::uint64_t>{2});
}
