#include "lib/base/tasks.hpp"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

namespace cbir {

void run_tasks(std::size_t count, const Task& task) {
  tbb::parallel_for(std::size_t{0}, count, [&task](std::size_t n) { task.call(task, n); });
}

void run_tasks_in_order(std::size_t threads, std::size_t at_once, const Task& begin, const Task& make,
                        const Task& hand_on) {
  std::size_t next = 0;
  const auto source = [&](tbb::flow_control& control) {
    const std::size_t n = next++;
    if (!begin.call(begin, n)) control.stop();
    return n;
  };
  const auto work = [&make](std::size_t n) {
    make.call(make, n);
    return n;
  };
  const auto sink = [&hand_on](std::size_t n) { hand_on.call(hand_on, n); };
  using tbb::filter_mode;
  // An arena of its own: of the size asked for.
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::parallel_pipeline(at_once, tbb::make_filter<void, std::size_t>(filter_mode::serial_in_order, source) &
                                        tbb::make_filter<std::size_t, std::size_t>(filter_mode::parallel, work) &
                                        tbb::make_filter<std::size_t, void>(filter_mode::serial_in_order, sink));
  });
}

}  // namespace cbir
