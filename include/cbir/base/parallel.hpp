#pragma once
/// The one thread pool is oneTBB's. Libraries below just use it; a program bounds it once with ThreadLimit.

#include <cstddef>
#include <functional>
#include <memory>

namespace cbir {

/// Processors this process may use: the affinity mask, cut by a cgroup's CPU quota; at least 1.
std::size_t available_cpus();

/// Bounds the number of threads that work at once, for as long as it lives. 0 means available_cpus().
class ThreadLimit {
 public:
  explicit ThreadLimit(std::size_t threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;
  std::size_t threads() const noexcept { return threads_; }

 private:
  struct Control;
  std::size_t threads_;
  std::unique_ptr<Control> control_;
};

/// The number of threads that parallel_blocks may use now.
std::size_t worker_threads();

/// Calls body(begin, end) for blocks of at most `grain` items that cover [0, count) once, in parallel.
/// Blocks always start at multiples of `grain`, so results per block do not depend on the number of threads.
/// Rethrows the first exception.
void parallel_blocks(std::size_t count, std::size_t grain, const std::function<void(std::size_t, std::size_t)>& body);

}  // namespace cbir
