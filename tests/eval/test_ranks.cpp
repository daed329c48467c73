#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <tests/catch.hpp>

#include "lib/eval/ranks.hpp"

namespace {

using Scores = std::vector<float>;
using Positions = std::vector<std::uint32_t>;
using Ranks = std::vector<std::uint64_t>;

Ranks count_ranks(const Scores& scores, const Positions& relevant, std::optional<std::size_t> left_out = {}) {
  cbir::RankCounter counter;
  const auto ranks = counter.ranks(scores, relevant, left_out);
  return {ranks.begin(), ranks.end()};
}

/// The plain statement: sort everything, look where the relevant ones are.
Ranks sort_ranks(const Scores& scores, const Positions& relevant, std::optional<std::size_t> left_out = {}) {
  std::vector<std::uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0U);
  if (left_out) order.erase(order.begin() + static_cast<std::ptrdiff_t>(*left_out));
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  Ranks ranks;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (std::binary_search(relevant.begin(), relevant.end(), order[i])) ranks.push_back(i + 1);
  return ranks;
}

}  // namespace

TEST_CASE("Ranks are positions in the order of falling scores") {
  //                     rank: 3     1     4     2
  CHECK(count_ranks(Scores{.3F, .9F, .1F, .5F}, {0, 3}) == Ranks{2, 3});
  CHECK(count_ranks(Scores{.3F, .9F, .1F, .5F}, {1}) == Ranks{1});
  CHECK(count_ranks(Scores{.3F, .9F, .1F, .5F}, {0, 1, 2, 3}) == Ranks{1, 2, 3, 4});
}

TEST_CASE("Equal scores are ranked by position") {
  CHECK(count_ranks(Scores{.5F, .5F, .5F, .5F}, {2}) == Ranks{3});
  CHECK(count_ranks(Scores{.5F, .5F, .5F, .5F}, {0, 3}) == Ranks{1, 4});
  CHECK(count_ranks(Scores{0.0F, -0.0F}, {1}) == Ranks{2});  // zeros are equal, whatever their sign
}

TEST_CASE("An item that is left out takes no rank") {
  CHECK(count_ranks(Scores{.9F, .5F, .5F}, {2}, 0) == Ranks{2});
  CHECK(count_ranks(Scores{.9F, .5F, .5F}, {2}, 1) == Ranks{2});
  CHECK(count_ranks(Scores{.1F, .5F, .5F}, {2}, 0) == Ranks{2});
}

TEST_CASE("Nothing relevant, no ranks") { CHECK(count_ranks(Scores{.1F, .2F}, {}).empty()); }

TEST_CASE("Counting gives the ranks of sorting") {
  struct Kind {
    const char* name;
    int levels;  ///< distinct scores, 0: as many as there are
    float scale;
  };
  const auto kind = GENERATE(Kind{"all different", 0, 1}, Kind{"thousand levels", 1000, 1}, Kind{"three levels", 3, 1},
                             Kind{"all equal", 1, 1}, Kind{"huge", 0, 2e38F}, Kind{"subnormal", 0, 1e-40F},
                             Kind{"far from zero", 1000, 1e-7F});
  const double share = GENERATE(0.002, 0.1, 0.6, 1.0);
  std::mt19937 random(7);
  for (const std::size_t size : {1UL, 2UL, 255UL, 257UL, 3000UL}) {
    Scores scores(size);
    for (float& score : scores) {
      score = std::uniform_real_distribution<float>(-1, 1)(random);
      if (kind.levels) score = std::floor(score * static_cast<float>(kind.levels) / 2);
      score *= kind.scale;
      if (kind.scale == 1e-7F) score += 1;
    }
    Positions relevant;
    for (std::uint32_t i = 0; i < size; ++i)
      if (std::bernoulli_distribution(share)(random)) relevant.push_back(i);
    INFO(kind.name << ", " << size << " items, " << relevant.size() << " relevant");
    CHECK(count_ranks(scores, relevant) == sort_ranks(scores, relevant));
    if (!relevant.empty()) {
      const std::size_t self = relevant[relevant.size() / 2];
      std::erase(relevant, static_cast<std::uint32_t>(self));
      CHECK(count_ranks(scores, relevant, self) == sort_ranks(scores, relevant, self));
    }
  }
}

TEST_CASE("Scores that outliers squeeze together keep their order") {
  Scores scores(1000, 0);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = 1e-6F * static_cast<float>(i * 7919 % 1000);
  scores[10] = 3e38F;
  scores[20] = -3e38F;
  const Positions relevant{10, 20, 30, 40, 50, 500, 999};
  CHECK(count_ranks(scores, relevant) == sort_ranks(scores, relevant));
}

TEST_CASE("Scores that are not finite are found") {
  Scores scores(1000, 1.0F);
  CHECK(cbir::find_not_finite(scores) == 1000);
  scores[999] = -std::numeric_limits<float>::infinity();
  CHECK(cbir::find_not_finite(scores) == 999);
  scores[300] = std::numeric_limits<float>::quiet_NaN();
  CHECK(cbir::find_not_finite(scores) == 300);
}
