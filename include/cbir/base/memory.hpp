#pragma once
/// Memory: how much there is for this process, and sharing it out among threads.

#include <sys/resource.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace cbir {

/// What this process may still take.
struct AvailableMemory {
  std::uint64_t bytes = 0;
  std::string bound;  ///< by what, for messages: "the cgroup /batch, whose limit is 700 MiB", "this machine's memory"
};

/// Where the system tells about itself; others for tests.
struct SystemFolders {
  std::string proc = "/proc";
  std::string cgroups = "/sys/fs/cgroup";
};

/// The least of what the machine has (MemAvailable) and what the limits of this process's cgroup and the ones above it
/// leave, of version 1 (memory.limit_in_bytes) or 2 (memory.max). What a cgroup holds of files that nobody has mapped
/// counts as free, since the system takes it back. Nothing if the system does not tell.
std::optional<AvailableMemory> available_memory(const SystemFolders& folders = {});

/// What this process holds of memory now, and the most that it has held since forget_peak_memory(); 0 if the system
/// does not tell. Neither knows of other processes.
std::uint64_t resident_memory();
std::uint64_t peak_resident_memory();
/// False if the system cannot; the peak is then that of the process's whole life.
bool forget_peak_memory();

/// From now on the process may take so many bytes more than it has (RLIMIT_DATA), beyond which an allocation fails.
/// Does nothing where sanitizers keep the books of memory.
void limit_further_memory(std::uint64_t bytes);

/// The same as long as it lives.
class MemoryCap {
 public:
  explicit MemoryCap(std::uint64_t bytes);
  ~MemoryCap();
  MemoryCap(const MemoryCap&) = delete;
  MemoryCap& operator=(const MemoryCap&) = delete;

 private:
  struct rlimit before_ {};
};

/// An amount of memory of which threads take parts, and wait until there are some.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t bytes) : total_(bytes), left_(bytes) {}
  std::uint64_t total() const noexcept { return total_; }

  /// A part, until it is destroyed. One who holds a part must not wait for another.
  class Part {
   public:
    Part(Part&& other) noexcept;
    Part& operator=(Part&& other) noexcept;
    ~Part();

   private:
    friend class MemoryBudget;
    Part(MemoryBudget& budget, std::uint64_t bytes) : budget_(&budget), bytes_(bytes) {}
    MemoryBudget* budget_;
    std::uint64_t bytes_;
  };

  /// Waits until so much is left. Nothing if it is more than there is in all.
  std::optional<Part> take(std::uint64_t bytes);

 private:
  std::uint64_t total_, left_;
  std::mutex mutex_;
  std::condition_variable freed_;
};

}  // namespace cbir
