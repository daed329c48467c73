#pragma once
/// Work that may crash, hang or swallow memory, done by processes of its own, which are replaced when they do.
///
/// A process that is forked early, while there are no threads, forks the workers, each when it is first wanted: what is
/// forked never has threads and holds little memory. A request and its reply lie in memory that a worker shares with
/// its caller; what crosses a socket is their sizes. Workers end with the process that made them, however it ends, and
/// are deaf to SIGINT, SIGTERM and SIGHUP, which a terminal or a batch system sends to all of a group: it is for their
/// caller to decide what is still brought to an end.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/bytes.hpp>
#include <cbir/base/error.hpp>

namespace cbir {

/// How a worker ended in the middle of a request.
struct WorkerEnd {
  enum class Kind {
    signal,   ///< `number` is the signal's
    status,   ///< it exited; `number` is its status
    overtime  ///< it took longer than it may
  };
  Kind kind;
  int number = 0;

  bool operator==(const WorkerEnd&) const = default;
};

/// The request is at fault, as far as one can tell: SIGKILL, by which the system takes memory back, was met twice.
class WorkerFailure : public Error {
 public:
  explicit WorkerFailure(const WorkerEnd& end);
  const WorkerEnd& end() const noexcept { return end_; }

 private:
  WorkerEnd end_;
};

/// What a worker answers.
struct WorkerReply {
  std::string head;
  std::vector<std::uint8_t> body;
};

class WorkerProcesses {
 public:
  /// Runs in a worker. What it throws ends the worker.
  using Handler = std::function<WorkerReply(std::string_view head, Bytes body)>;
  /// Gets the reply, which lies in shared memory and is gone when it returns.
  using Taker = std::function<void(std::string_view head, Bytes body)>;

  /// `time` is what a request may take. To be called before the process has threads. Throws ResourceLimit if there can
  /// be no further process.
  WorkerProcesses(Handler handler, std::chrono::milliseconds time);
  ~WorkerProcesses();
  WorkerProcesses(const WorkerProcesses&) = delete;
  WorkerProcesses& operator=(const WorkerProcesses&) = delete;

  /// Has a worker answer; there are as many as there are calls at once. Thread-safe. Throws WorkerFailure,
  /// ResourceLimit if no further process or memory can be had, Error(internal) if the process that forks workers is
  /// gone.
  void call(std::string_view head, Bytes body, const Taker& take) const;

  /// The most memory that the workers which are there have held, all together.
  std::uint64_t peak_memory() const;

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;
};

}  // namespace cbir
