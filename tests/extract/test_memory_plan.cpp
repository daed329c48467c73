#include "memory_plan.hpp"

#include <new>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

AvailableMemory mebibytes(std::uint64_t count) { return {count * kMiB, "the cgroup /x"}; }

}  // namespace

TEST_CASE("as many threads as fit into memory, and the rest is for pictures") {
  const MemoryPlan wide = plan_memory(mebibytes(8000), 4, 100 * kMiB, "encoding by 'net'");
  CHECK(wide.threads == 4);
  CHECK(wide.pictures > 7000 * kMiB);
  std::size_t before = 4;
  for (std::uint64_t there = 1000; there >= 220; there -= 20) {
    INFO(there);
    const MemoryPlan plan = plan_memory(mebibytes(there), 4, 100 * kMiB, "encoding by 'net'");
    CHECK(plan.threads >= 1);
    CHECK(plan.threads <= before);
    CHECK(plan.threads * 100 * kMiB + plan.pictures <= there * kMiB);
    CHECK(plan.pictures >= (plan.threads > 1 ? there * kMiB * 4 / 10 : 40 * kMiB));
    before = plan.threads;
  }
  CHECK(before == 1);
}

TEST_CASE("what does not fit at all is said with what it takes and what there is") {
  CHECK_THROWS_AS(plan_memory(mebibytes(150), 4, 100 * kMiB, "encoding by 'net'"), ResourceLimit);
  CHECK_THROWS_WITH(plan_memory(mebibytes(150), 4, 100 * kMiB, "encoding by 'net'"),
                    ContainsSubstring("'net'") && ContainsSubstring("157 MB are left of the cgroup /x"));
  CHECK_THROWS_AS(plan_memory({0, "nothing"}, 1, 0, "encoding"), ResourceLimit);
}

TEST_CASE("a run is planned with what there really is") {
  const Pictures pictures(1);
  const MemoryPlan plan = plan_memory(FakeEncoder(), nullptr, pictures.options(), 2);
  CHECK(plan.threads >= 1);
  CHECK(plan.threads <= 2);
  CHECK(plan.pictures > 0);
}

TEST_CASE("an encoder that is too large is a limit that was met, whatever it calls that") {
  EncoderChoice choice = fake_choice();
  CHECK(open_within_memory(choice) != nullptr);
  choice.weights_bytes = UINT64_MAX;  // so that nobody knows whether it fits
  CHECK(open_within_memory(choice) != nullptr);
  choice.open = []() -> std::unique_ptr<Encoder> { throw std::bad_alloc(); };
  CHECK_THROWS_AS(open_within_memory(choice), ResourceLimit);
  CHECK_THROWS_WITH(open_within_memory(choice), StartsWith("loading encoder 'fake' takes more memory than the "));
  choice.open = []() -> std::unique_ptr<Encoder> { throw Error(ExitCode::internal, "cannot allocate"); };
  CHECK_THROWS_WITH(open_within_memory(choice), ContainsSubstring("(cannot allocate)"));
  choice.open = []() -> std::unique_ptr<Encoder> { throw DamagedFile("of another shape"); };
  CHECK_THROWS_AS(open_within_memory(choice), DamagedFile);
}
