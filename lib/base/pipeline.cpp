#include <cbir/base/pipeline.hpp>

#include <vector>

#include "lib/base/tasks.hpp"

namespace cbir {

void run_pipeline(const Pipeline& pipeline) {
  // What oneTBB sees to, and ThreadSanitizer is told: the order of those that begin and of those that are handed on;
  // and the order of what is done with a number, before the number that takes its place begins.
  Handover of_begun, of_handed_on;
  std::vector<Handover> of_number(pipeline.at_once);
  const auto begin = [&](std::size_t n) {
    const HandoverTurn begun(of_begun);
    const HandoverTurn number(of_number[n % pipeline.at_once]);
    return pipeline.begin(n);
  };
  const auto make = [&](std::size_t n) {
    const HandoverTurn number(of_number[n % pipeline.at_once]);
    pipeline.make(n);
  };
  const auto hand_on = [&](std::size_t n) {
    const HandoverTurn handed_on(of_handed_on);
    const HandoverTurn number(of_number[n % pipeline.at_once]);
    pipeline.hand_on(n);
  };
  run_tasks_in_order(pipeline.threads, pipeline.at_once, Task(begin), Task(make), Task(hand_on));
}

}  // namespace cbir
