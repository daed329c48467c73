#include <cbir/base/memory.hpp>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include <cbir/base/file.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// A system of which these files are all that there is.
struct FakeSystem {
  explicit FakeSystem(const std::map<std::string, std::string>& files) {
    make_directories(folders.proc);
    make_directories(folders.cgroups);
    for (const auto& [path, content] : files) {
      make_directories(parent_path(folder / path));
      write_file(folder / path, content, true);
    }
  }
  std::optional<AvailableMemory> available() const { return available_memory(folders); }

  TemporaryFolder folder;
  SystemFolders folders = {folder / "proc", folder / "cgroup"};
};

const std::string kMeminfo = "MemTotal:       8000 kB\nMemFree:  100 kB\nMemAvailable:    4000 kB\n";

}  // namespace

TEST_CASE("memory without cgroups is what the machine has") {
  const auto found = FakeSystem({{"proc/meminfo", kMeminfo}}).available();
  REQUIRE(found.has_value());
  CHECK(found->bytes == 4000 * 1024);
  CHECK(found->bound == "this machine's memory");
  CHECK_FALSE(FakeSystem({}).available().has_value());
}

TEST_CASE("memory within a cgroup of version 1") {
  const FakeSystem system({{"proc/meminfo", kMeminfo},
                           {"proc/self/cgroup", "5:cpu,memory:/batch/job\n1:name=systemd:/x\n0::/other\n"},
                           {"cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
                           {"cgroup/memory/batch/memory.limit_in_bytes", "3000000\n"},
                           {"cgroup/memory/batch/memory.usage_in_bytes", "100\n"},
                           {"cgroup/memory/batch/job/memory.limit_in_bytes", "1048576\n"},
                           {"cgroup/memory/batch/job/memory.usage_in_bytes", "800000\n"},
                           {"cgroup/memory/batch/job/memory.stat",
                            "cache 1\ninactive_file 7\ntotal_inactive_file 300000\ntotal_active_file 200000\n"
                            "total_mapped_file 50000\n"}});
  const auto found = system.available();
  REQUIRE(found.has_value());
  CHECK(found->bytes == 1048576 - (800000 - 450000));
  CHECK(found->bound == "the cgroup /batch/job, whose limit is 1.05 MB");
}

TEST_CASE("memory within a cgroup of version 2, bounded by one above it") {
  const FakeSystem system({{"proc/meminfo", kMeminfo},
                           {"proc/self/cgroup", "0::/slice/job:1\n"},
                           {"cgroup/slice/memory.max", "2000000\n"},
                           {"cgroup/slice/memory.current", "1500000\n"},
                           {"cgroup/slice/memory.stat", "file 5\ninactive_file 100000\nactive_file 0\nfile_mapped 0\n"},
                           {"cgroup/slice/job:1/memory.max", "max\n"},
                           {"cgroup/slice/job:1/memory.current", "1500000\n"}});
  const auto found = system.available();
  REQUIRE(found.has_value());
  CHECK(found->bytes == 600000);
  CHECK_THAT(found->bound, StartsWith("the cgroup /slice, "));
}

TEST_CASE("memory within a container, whose own cgroup is all that is mounted") {
  const FakeSystem system({{"proc/meminfo", kMeminfo},
                           {"proc/self/cgroup", "4:memory:/docker/0123\n"},
                           {"cgroup/memory/memory.limit_in_bytes", "1000\n"},
                           {"cgroup/memory/memory.usage_in_bytes", "5000\n"}});
  CHECK(system.available()->bytes == 0);
}

TEST_CASE("this process's memory") {
  const std::uint64_t before = resident_memory();
  REQUIRE(before > 0);
  if (!forget_peak_memory()) return;  // not every kernel can
  constexpr std::size_t kSize = 64 << 20;
  void* volatile memory = std::malloc(kSize);
  std::memset(memory, 1, kSize);
  std::free(memory);
  CHECK(peak_resident_memory() >= before + kSize * 9 / 10);
}

TEST_CASE("threads never hold more than the budget, and what is too much for it is said at once") {
  MemoryBudget budget(100);
  CHECK_FALSE(budget.take(101).has_value());
  std::atomic<int> held = 0, most = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const int wanted = 1 + (i * 7 + t * 13) % 100;
        const auto part = budget.take(static_cast<std::uint64_t>(wanted));
        const int now = held += wanted;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        held -= wanted;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(most <= 100);
  CHECK(budget.take(100).has_value());
}
