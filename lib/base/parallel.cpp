#include <cbir/base/parallel.hpp>

#include <oneapi/tbb/global_control.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include "lib/base/tasks.hpp"

namespace cbir {
namespace {

/// The CPU quota of this process's cgroup (version 2) in processors, or 0 if there is none.
double cgroup_quota() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::")) continue;
    std::ifstream limit("/sys/fs/cgroup" + line.substr(3) + "/cpu.max");
    std::string quota;
    double period = 0;
    if (limit >> quota >> period && quota != "max" && period > 0) return std::stod(quota) / period;
  }
  return 0;
}

}  // namespace

std::size_t available_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::size_t count = std::max(1U, std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = static_cast<std::size_t>(CPU_COUNT(&set));
  if (const double quota = cgroup_quota(); quota > 0)
    count = std::min(count, static_cast<std::size_t>(std::ceil(quota)));
  return std::max<std::size_t>(1, count);
}

struct ThreadLimit::Control {
  explicit Control(std::size_t threads) : parallelism(tbb::global_control::max_allowed_parallelism, threads) {}
  tbb::global_control parallelism;
};

ThreadLimit::ThreadLimit(std::size_t threads)
    : threads_(threads ? threads : available_cpus()), control_(std::make_unique<Control>(threads_)) {}
ThreadLimit::~ThreadLimit() = default;

std::size_t worker_threads() { return tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism); }

void parallel_blocks(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body) {
  const std::size_t blocks = (count + grain - 1) / grain;
  if (blocks <= 1 || worker_threads() == 1) {
    for (std::size_t b = 0; b < blocks; ++b) body(b * grain, std::min(count, (b + 1) * grain));
    return;
  }
  const auto block = [&](std::size_t b) { body(b * grain, std::min(count, (b + 1) * grain)); };
  run_tasks(blocks, Task(block));
}

}  // namespace cbir
