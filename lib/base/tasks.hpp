#pragma once
/// oneTBB's loops and pipelines behind plain functions: its templates are compiled in tasks.cpp alone.
///
/// oneTBB's library is not compiled with ThreadSanitizer, so that file is not, either: of its templates only half would
/// be seen. What a Task does is seen, and is told here what happened before it.

#include <cstddef>
#include <type_traits>

#include "lib/base/handover.hpp"

namespace cbir {

/// A function of a number that several threads may call, for as long as this and it live.
struct Task {
  /// If it returns something, then whether to go on.
  template <typename Function>
  explicit Task(const Function& of) : function(&of), call(&called<Function>) {
    before.give();
  }
  template <typename Function>
  explicit Task(const Function&&) = delete;  // it would not live
  ~Task() { after.take(); }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  const void* function;
  bool (*call)(const Task&, std::size_t);
  mutable Handover before, after;  // of two calls none is before the other

 private:
  template <typename Function>
  static bool called(const Task& task, std::size_t n) {
    const HandoverTurn turn(task.before, task.after);
    const auto& function = *static_cast<const Function*>(task.function);
    if constexpr (std::is_void_v<decltype(function(n))>) {
      function(n);
      return true;
    } else {
      return function(n);
    }
  }
};

/// Calls the task with 0, 1, ..., count - 1, in parallel and in any order. Rethrows the first exception.
void run_tasks(std::size_t count, const Task& task);

/// The three steps of a Pipeline (pipeline.hpp).
void run_tasks_in_order(std::size_t threads, std::size_t at_once, const Task& begin, const Task& make,
                        const Task& hand_on);

}  // namespace cbir
