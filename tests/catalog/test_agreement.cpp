#include <cmath>

#include <cbir/base/random.hpp>

#include "lib/catalog/agreement.hpp"
#include "tests/catch.hpp"

using namespace cbir;

namespace {

/// Keypoints of a picture of 100 x 80 pixels.
std::vector<Spot> known_spots(std::size_t count) {
  SplitMix64 random(7);
  std::vector<Spot> spots;
  for (std::size_t i = 0; i < count; ++i)
    spots.push_back({static_cast<float>(random.below(100)), static_cast<float>(random.below(80)),
                     static_cast<float>(2 + random.below(8)), static_cast<float>(random.below(360))});
  return spots;
}

/// Where one is seen if the picture is turned (clockwise, as pixels lie), enlarged, and moved.
Spot seen_at(const Spot& spot, double degrees, double scale, double x, double y) {
  const double angle = degrees * std::acos(-1.) / 180;
  const double c = scale * std::cos(angle), s = scale * std::sin(angle), px = spot.x, py = spot.y;
  return {static_cast<float>(c * px - s * py + x), static_cast<float>(s * px + c * py + y),
          static_cast<float>(scale * spot.size), static_cast<float>(std::fmod(spot.angle + degrees, 360))};
}

/// Votes that agree, and among them as many that say anything.
std::vector<PlacedVote> votes_for(double degrees, double scale, double x, double y) {
  const std::vector<Spot> known = known_spots(20);
  SplitMix64 random(3);
  std::vector<PlacedVote> votes;
  for (std::uint32_t i = 0; i < known.size(); ++i) {
    votes.push_back({.known = known[i], .seen = seen_at(known[i], degrees, scale, x, y), .number = i, .weight = .5F});
    const Spot anywhere{static_cast<float>(random.below(640)), static_cast<float>(random.below(480)),
                        static_cast<float>(1 + random.below(30)), static_cast<float>(random.below(360))};
    votes.push_back({.known = known[i], .seen = anywhere, .number = 100 + i, .weight = .5F});
  }
  return votes;
}

}  // namespace

TEST_CASE("Votes that say the same of where a picture is seen agree, whatever else is said") {
  const auto found = agreement_of(votes_for(90, 2, 300, 50), 100, 80, 1);
  REQUIRE(found);
  CHECK(found->votes >= 20);
  CHECK(found->votes <= 22);
  // 100 x 80, twice as large, on its side: x from 300 - 160 to 300, y from 50 to 250.
  CHECK(found->box.x1 == Approx(140).margin(25));
  CHECK(found->box.y1 == Approx(50).margin(25));
  CHECK(found->box.x2 == Approx(300).margin(25));
  CHECK(found->box.y2 == Approx(250).margin(25));
}

TEST_CASE("A known keypoint counts once, however many vote for it") {
  std::vector<PlacedVote> votes;
  const std::vector<Spot> known = known_spots(3);
  for (int repeat = 0; repeat < 10; ++repeat)
    for (std::uint32_t i = 0; i < known.size(); ++i)
      votes.push_back({.known = known[i], .seen = seen_at(known[i], 0, 1, 10, 10), .number = i, .weight = 1});
  const auto found = agreement_of(votes, 100, 80, 1);
  REQUIRE(found);
  CHECK(found->votes == 3);
  CHECK(found->weight == Approx(3));
}

TEST_CASE("Keypoints without size and angle agree by where they are seen") {
  std::vector<PlacedVote> votes;
  for (std::uint32_t i = 0; i < 4; ++i)
    votes.push_back({.known = {1, 1}, .seen = {100 + 10 * static_cast<float>(i), 50}, .number = i, .weight = 1});
  votes.push_back({.known = {1, 1}, .seen = {400, 300}, .number = 9, .weight = 1});
  const auto found = agreement_of(votes, 100, 80, 50);
  REQUIRE(found);
  CHECK(found->votes == 4);
  CHECK(found->box == Box{100, 50, 130, 50});
}

TEST_CASE("One vote, or none, agrees with nobody") {
  CHECK_FALSE(agreement_of({}, 100, 80, 50));
  const std::vector<PlacedVote> one = {{.known = {1, 1, 2, 0}, .seen = {1, 1, 2, 0}, .weight = 1}};
  CHECK_FALSE(agreement_of(one, 100, 80, 50));
}
