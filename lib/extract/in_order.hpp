#pragma once
/// The frame of every run: things are made side by side, and handed on in order.

#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <cstddef>
#include <functional>
#include <vector>

#include <cbir/base/handover.hpp>

namespace cbir {

/// Results in memory at once: one at work and one waiting its turn per thread.
inline std::size_t results_at_once(std::size_t threads) { return 2 * threads; }

template <typename Result>
struct InOrder {
  std::size_t threads = 1;
  std::function<bool(std::size_t)> begin;          ///< one at a time, in order: whether there is result n = 0, 1, ...
  std::function<void(std::size_t, Result&)> make;  ///< by several threads; the Result is one that was handed on before
  std::function<void(Result&)> hand_on;            ///< one at a time, in order
};

/// Rethrows the first exception. Results are kept in slots of our own: what is in flight when something throws would
/// leak out of oneTBB's. A slot is free again when its turn comes, as results leave in order and no more than there are
/// slots are under way.
template <typename Result>
void run_in_order(const InOrder<Result>& run) {
  const std::size_t count = results_at_once(run.threads);
  std::vector<Result> slots(count);
  // What ThreadSanitizer has to be told: of each slot, of all that begin, and of all that are handed on.
  struct Handovers {
    explicit Handovers(std::size_t slots) : of(slots) {}
    ~Handovers() {
      for (Handover& slot : of) slot.take();
      begun.take();
      handed_on.take();
    }
    std::vector<Handover> of;
    Handover begun, handed_on;
  } handovers(count);
  handovers.begun.give();
  std::size_t next = 0;
  const auto source = [&](tbb::flow_control& control) -> std::size_t {
    const HandoverTurn begun(handovers.begun);
    const std::size_t n = next;
    const HandoverTurn slot(handovers.of[n % count]);
    if (run.begin(n)) ++next;
    else control.stop();
    return n;
  };
  const auto work = [&](std::size_t n) {
    const HandoverTurn slot(handovers.of[n % count]);
    run.make(n, slots[n % count]);
    return n;
  };
  const auto sink = [&](std::size_t n) {
    const HandoverTurn handed_on(handovers.handed_on);
    const HandoverTurn slot(handovers.of[n % count]);
    run.hand_on(slots[n % count]);
  };
  using tbb::filter_mode;
  // An arena of its own: of the size asked for, even beyond the number of processors.
  tbb::task_arena arena(static_cast<int>(run.threads));
  arena.execute([&] {
    tbb::parallel_pipeline(count, tbb::make_filter<void, std::size_t>(filter_mode::serial_in_order, source) &
                                      tbb::make_filter<std::size_t, std::size_t>(filter_mode::parallel, work) &
                                      tbb::make_filter<std::size_t, void>(filter_mode::serial_in_order, sink));
  });
}

}  // namespace cbir
