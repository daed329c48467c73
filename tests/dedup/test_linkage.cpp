#include <lib/dedup/linkage.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include <tests/catch.hpp>

using namespace cbir;

namespace {

using Rows = std::vector<std::uint32_t>;

std::vector<Rows> rows_of(const std::vector<LinkedGroup>& groups) {
  std::vector<Rows> out;
  for (const LinkedGroup& group : groups) out.push_back(group.rows);
  return out;
}

/// The textbook's algorithm: of all pairs of groups, those whose least similar rows are most similar become one. Of
/// equal ones, those first whose last pair comes first.
std::vector<LinkedGroup> by_the_book(std::size_t count, const std::vector<ScoredPair>& pairs) {
  using Place = std::tuple<float, std::uint32_t, std::uint32_t>;  // in the order of pairs
  std::map<std::pair<std::uint32_t, std::uint32_t>, float> scores;
  for (const ScoredPair& pair : pairs) scores[{pair.a, pair.b}] = pair.score;
  std::vector<LinkedGroup> groups;
  for (std::uint32_t row = 0; row < count; ++row) groups.push_back({.rows = {row}, .least = 0});
  const Place never{std::numeric_limits<float>::infinity(), 0, 0};
  for (;;) {
    Place best = never;
    std::size_t first = 0, second = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      for (std::size_t j = i + 1; j < groups.size(); ++j) {
        Place last{-std::numeric_limits<float>::infinity(), 0, 0};
        for (const std::uint32_t a : groups[i].rows) {
          for (const std::uint32_t b : groups[j].rows) {
            const auto found = scores.find({std::min(a, b), std::max(a, b)});
            last = std::max(
                last, found == scores.end() ? never : Place{-found->second, found->first.first, found->first.second});
          }
        }
        if (last < best) std::tie(best, first, second) = std::tuple(last, i, j);
      }
    }
    if (best == never) break;
    groups[first].rows.insert(groups[first].rows.end(), groups[second].rows.begin(), groups[second].rows.end());
    std::ranges::sort(groups[first].rows);
    groups[first].least = -std::get<0>(best);
    groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(second));
  }
  std::erase_if(groups, [](const LinkedGroup& group) { return group.rows.size() < 2; });
  std::ranges::sort(groups, {}, &LinkedGroup::rows);
  return groups;
}

/// Pairs of `rows` rows, each there with probability 1 / `sparse`, of `scores` different scores.
std::vector<ScoredPair> random_pairs(std::size_t rows, unsigned scores, unsigned sparse, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<ScoredPair> pairs;
  for (std::uint32_t a = 0; a < rows; ++a)
    for (std::uint32_t b = a + 1; b < rows; ++b)
      if (generator() % sparse == 0)
        pairs.push_back({a, b, .5F + static_cast<float>(generator() % scores) / static_cast<float>(2 * scores)});
  return pairs;
}

}  // namespace

TEST_CASE("a chain is no group") {
  // 0 resembles 1, 1 resembles 2, but 0 does not resemble 2.
  const auto groups = complete_linkage(4, {{0, 1, .8F}, {1, 2, .9F}, {2, 3, .7F}});
  REQUIRE(rows_of(groups) == std::vector<Rows>{{1, 2}});
  CHECK(groups[0].least == .9F);
}

TEST_CASE("a group says how similar its least similar rows are") {
  const auto groups = complete_linkage(5, {{0, 2, .9F}, {0, 4, .7F}, {2, 4, .8F}});
  REQUIRE(rows_of(groups) == std::vector<Rows>{{0, 2, 4}});
  CHECK(groups[0].least == .7F);
}

TEST_CASE("of equal pairs the first rows come together") {
  CHECK(rows_of(complete_linkage(3, {{0, 1, .9F}, {1, 2, .9F}})) == std::vector<Rows>{{0, 1}});
  CHECK(rows_of(complete_linkage(4, {{1, 2, .9F}, {0, 3, .9F}, {0, 1, .9F}})) == std::vector<Rows>{{0, 1}});
}

TEST_CASE("groups are those of the textbook, whatever the order of pairs") {
  unsigned seed = 0;
  for (const unsigned scores : {1U, 2U, 5U, 1000U}) {
    for (const unsigned sparse : {1U, 2U, 3U, 6U}) {
      auto pairs = random_pairs(24, scores, sparse, ++seed);
      const auto expected = by_the_book(24, pairs);
      std::shuffle(pairs.begin(), pairs.end(), std::mt19937(seed));
      const auto groups = complete_linkage(24, pairs);
      INFO(scores << " scores, 1 pair of " << sparse);
      CHECK(rows_of(groups) == rows_of(expected));
      for (std::size_t i = 0; i < groups.size(); ++i) CHECK(groups[i].least == expected[i].least);
    }
  }
}

TEST_CASE("in a group every pair is there, and no two groups could be one") {
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const auto pairs = random_pairs(300, 50, 3, seed);
    std::map<std::pair<std::uint32_t, std::uint32_t>, float> scores;
    for (const ScoredPair& pair : pairs) scores[{pair.a, pair.b}] = pair.score;
    const auto all_there = [&](const Rows& one, const Rows& other) {
      return std::ranges::all_of(one, [&](std::uint32_t a) {
        return std::ranges::all_of(other, [&](std::uint32_t b) {
          return a == b || scores.contains({std::min(a, b), std::max(a, b)});
        });
      });
    };
    std::vector<Rows> groups;
    std::set<std::uint32_t> grouped;
    for (const LinkedGroup& group : complete_linkage(300, pairs)) {
      float least = 1;
      for (const std::uint32_t a : group.rows) {
        CHECK(grouped.insert(a).second);
        for (const std::uint32_t b : group.rows)
          if (a < b) least = std::min(least, scores.at({a, b}));
      }
      CHECK(group.least == least);
      groups.push_back(group.rows);
    }
    for (std::uint32_t row = 0; row < 300; ++row)
      if (!grouped.contains(row)) groups.push_back({row});
    for (std::size_t i = 0; i < groups.size(); ++i)
      for (std::size_t j = i + 1; j < groups.size(); ++j) CHECK_FALSE(all_there(groups[i], groups[j]));
  }
}

TEST_CASE("a thousand rows that all resemble each other are one group") {
  const auto pairs = random_pairs(1000, 7, 1, 1);
  const auto groups = complete_linkage(1000, pairs);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].rows.size() == 1000);
  CHECK(groups[0].least == .5F);
}
