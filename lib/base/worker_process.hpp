#pragma once
/// The far side of WorkerProcesses: the process that forks, and what it forks. Inside the base module only.

#include <sys/types.h>

#include <cstdint>

#include <cbir/base/file.hpp>
#include <cbir/base/worker.hpp>

namespace cbir {

/// Of a message in shared memory, where the body begins at the first multiple of kBodyAt behind the head.
struct MessageSize {
  std::uint64_t head = 0, body = 0;
};
constexpr std::size_t kBodyAt = 64;

constexpr std::size_t body_offset(std::size_t head) { return (head + kBodyAt - 1) / kBodyAt * kBodyAt; }

/// What the process that forks is told. With `start` come the worker's end of a socket, and shared memory.
struct ForkOrder {
  enum class Kind : std::uint32_t { start, end };
  Kind kind;
  pid_t worker = 0;  ///< to be ended
};

struct ForkAnswer {
  pid_t worker = 0;  ///< that was started; 0: `error` says why not
  int error = 0;
  int status = 0;  ///< of the one that has ended, as waitpid has it
};

/// Serves orders until the other end is closed, and then ends all that it has started.
[[noreturn]] void run_forking_process(Fd control, const WorkerProcesses::Handler& handler) noexcept;

}  // namespace cbir
