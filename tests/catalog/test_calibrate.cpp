#include <cmath>

#include <cbir/base/random.hpp>
#include <cbir/catalog/identify.hpp>

#include "tests/catch.hpp"

using namespace cbir;

namespace {

/// Draws from an exponential distribution.
std::vector<double> exponential(std::size_t count, double mean, std::uint64_t seed) {
  SplitMix64 random(seed);
  std::vector<double> draws;
  for (std::size_t i = 0; i < count; ++i)
    draws.push_back(-mean * std::log((static_cast<double>(random() >> 11) + .5) * 0x1p-53));
  return draws;
}

}  // namespace

TEST_CASE("A threshold within the sample is one of its values") {
  std::vector<double> sample;
  for (int i = 0; i < 100; ++i) sample.push_back(i);
  CHECK(tail_threshold(sample, .5) == 49);
  CHECK(tail_threshold(sample, .2) == 79);
}

TEST_CASE("Beyond the sample the threshold is where so rare a value lies") {
  // One of 10,000 exceeds mean * ln(10,000), which 500 draws do not tell directly.
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) sum += tail_threshold(exponential(500, 2, seed), 1e-4);
  CHECK(sum / 20 == Approx(2 * std::log(1e4)).epsilon(.06));
}

TEST_CASE("The rarer, the higher; and a sample of one value has that as its threshold") {
  const auto sample = exponential(200, 1, 7);
  CHECK(tail_threshold(sample, 1e-4) > tail_threshold(sample, 1e-3));
  CHECK(tail_threshold(sample, 1e-3) > tail_threshold(sample, 1e-2));
  CHECK(tail_threshold(std::vector<double>(30, 0.), .001) == 0);
}
