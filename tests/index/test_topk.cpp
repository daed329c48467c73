#include <algorithm>
#include <cmath>
#include <random>

#include <lib/index/topk.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

std::vector<Hit> sorted(std::vector<Hit> hits, std::size_t k) {
  std::sort(hits.begin(), hits.end(), ranks_before);
  hits.resize(std::min(k, hits.size()));
  return hits;
}

bool equal(const std::vector<Hit>& a, const std::vector<Hit>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Hit& x, const Hit& y) { return x.id == y.id && x.score == y.score; });
}

}  // namespace

TEST_CASE("the k best are those of a full sort, whatever the order of arrival") {
  std::mt19937 generator(5);
  std::vector<float> scores(500);
  for (float& s : scores) s = static_cast<float>(generator() % 40);  // many ties
  std::vector<Hit> hits;
  for (std::size_t i = 0; i < scores.size(); ++i) hits.push_back({i, scores[i]});

  for (const std::size_t k : {0, 1, 2, 10, 499, 500, 900}) {
    std::vector<std::size_t> blocks;
    for (std::size_t b = 0; b < 500; b += 25) blocks.push_back(b);
    std::shuffle(blocks.begin(), blocks.end(), generator);
    TopK best(k);
    for (const std::size_t b : blocks) best.offer(scores.data() + b, 25, b);
    CHECK(equal(best.take(), sorted(hits, k)));
  }
}

TEST_CASE("a NaN never ranks before a number") {
  const float scores[] = {NAN, -5.0F, NAN, -9.0F, NAN};
  TopK best(3);
  best.offer(scores, 5, 10);
  const std::vector<Hit> hits = best.take();
  REQUIRE(hits.size() == 3);
  CHECK(hits[0].id == 11);
  CHECK(hits[1].id == 13);
}

TEST_CASE("zeros of both signs tie") {
  const float scores[] = {-0.0F, 0.0F};
  TopK best(1);
  best.offer(scores, 2, 0);
  CHECK(best.take()[0].id == 0);
}
