#include <suppression.hpp>

#include <tests/catch.hpp>

#include <algorithm>
#include <limits>

using namespace cbir;
using Positions = std::vector<std::size_t>;

TEST_CASE("of things that overlap the surest is kept, of each class by itself") {
  const std::vector<cbir_detect_candidate> candidates = {
      {50, 50, 40, 40, .6F, 0},    // covered by the next one
      {52, 50, 40, 40, .9F, 0},    //
      {52, 50, 40, 40, .7F, 1},    // of another class
      {200, 200, 40, 40, .8F, 0},  // elsewhere
  };
  CHECK(suppress(candidates, .45F, 300) == Positions{1, 3, 2});
  CHECK(suppress(candidates, .45F, 2) == Positions{1, 3});
  CHECK(suppress(candidates, .95F, 300) == Positions{1, 3, 2, 0});  // .905 of the two boxes' union is in both
  CHECK(suppress({}, .45F, 300).empty());
}

TEST_CASE("what a suppressed candidate covers is not suppressed by it") {
  const std::vector<cbir_detect_candidate> chain = {
      {0, 50, 40, 40, .9F, 0}, {15, 50, 40, 40, .8F, 0}, {30, 50, 40, 40, .7F, 0}};
  CHECK(suppress(chain, .4F, 300) == Positions{0, 2});
}

TEST_CASE("equally sure ones are taken in the order given") {
  const std::vector<cbir_detect_candidate> equal = {{50, 50, 40, 40, .5F, 0}, {51, 50, 40, 40, .5F, 0}};
  CHECK(suppress(equal, .45F, 300) == Positions{0});
}

TEST_CASE("boxes that are no numbers harm nobody else") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<cbir_detect_candidate> candidates = {{nan, 50, 40, 40, .9F, 0}, {50, 50, 40, 40, .8F, 0}};
  const Positions kept = suppress(candidates, .45F, 300);
  CHECK(std::ranges::find(kept, 1U) != kept.end());
}
