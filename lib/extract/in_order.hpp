#pragma once
/// The frame of every run: things are made side by side, and handed on in order.

#include <cstddef>
#include <functional>
#include <vector>

#include <cbir/base/pipeline.hpp>

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
  run_pipeline({.threads = run.threads,
                .at_once = count,
                .begin = run.begin,
                .make = [&](std::size_t n) { run.make(n, slots[n % count]); },
                .hand_on = [&](std::size_t n) { run.hand_on(slots[n % count]); }});
}

}  // namespace cbir
