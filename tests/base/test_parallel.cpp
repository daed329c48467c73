#include <cbir/base/parallel.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <cbir/base/pipeline.hpp>
#include <tests/catch.hpp>

using namespace cbir;

TEST_CASE("blocks cover the items once and begin at multiples of the grain, with any number of threads") {
  for (const std::size_t threads : {1, 2, 7}) {
    const ThreadLimit limit(threads);
    for (const std::size_t count : {0, 1, 63, 64, 65, 1000}) {
      std::vector<int> seen(count);
      std::atomic<bool> aligned = true;
      parallel_blocks(count, 64, [&](std::size_t begin, std::size_t end) {
        if (begin % 64 != 0 || end - begin > 64) aligned = false;
        for (std::size_t i = begin; i < end; ++i) ++seen[i];
      });
      CHECK(aligned);
      CHECK(std::count(seen.begin(), seen.end(), 1) == static_cast<std::ptrdiff_t>(count));
    }
  }
}

TEST_CASE("what a block throws is thrown to who asked, and the next loop is as any other") {
  const ThreadLimit limit(4);
  const auto fail = [](std::size_t begin, std::size_t) {
    if (begin == 500) throw std::runtime_error("block 500");
  };
  CHECK_THROWS_WITH(parallel_blocks(1000, 1, fail), "block 500");
  std::atomic<int> blocks = 0;
  parallel_blocks(1000, 1, [&](std::size_t, std::size_t) { ++blocks; });
  CHECK(blocks == 1000);
}

TEST_CASE("a pipeline begins and hands on in order, and has no more under way than it may") {
  const ThreadLimit limit(4);
  std::vector<std::size_t> begun, handed_on;
  std::atomic<std::size_t> under_way = 0, most = 0;
  std::vector<std::size_t> made(100);
  const auto begin = [&](std::size_t n) {
    if (n == made.size()) return false;
    begun.push_back(n);
    const std::size_t now = ++under_way;
    most = std::max<std::size_t>(most, now);
    return true;
  };
  const auto make = [&](std::size_t n) { made[n] = n * n; };
  const auto hand_on = [&](std::size_t n) {
    handed_on.push_back(made[n]);
    --under_way;
  };
  run_pipeline({.threads = 4, .at_once = 8, .begin = begin, .make = make, .hand_on = hand_on});
  REQUIRE(begun.size() == 100);
  REQUIRE(handed_on.size() == 100);
  for (std::size_t n = 0; n < 100; ++n) {
    CHECK(begun[n] == n);
    CHECK(handed_on[n] == n * n);
  }
  CHECK(most <= 8);
}

TEST_CASE("what any part of a pipeline throws is thrown to who asked") {
  for (const int part : {0, 1, 2}) {
    const auto check = [part](int here, std::size_t n) {
      if (here == part && n == 5) throw std::runtime_error("part " + std::to_string(part));
    };
    const auto begin = [&](std::size_t n) {
      check(0, n);
      return n < 10;
    };
    const auto make = [&](std::size_t n) { check(1, n); };
    const auto hand_on = [&](std::size_t n) { check(2, n); };
    const Pipeline pipeline{.threads = 3, .at_once = 6, .begin = begin, .make = make, .hand_on = hand_on};
    CHECK_THROWS_WITH(run_pipeline(pipeline), "part " + std::to_string(part));
  }
}

// Not run but by tests/tsan/run, which sees that it is found.
TEST_CASE("a race between two blocks", "[.race]") {
  const ThreadLimit limit(4);
  std::size_t sum = 0;
  parallel_blocks(1000, 1, [&](std::size_t begin, std::size_t) { sum += begin; });
  CHECK(sum <= 499500);
}
