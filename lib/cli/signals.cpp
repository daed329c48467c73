#include <cbir/cli/signals.hpp>

#include <unistd.h>

#include <atomic>

namespace cbir {
namespace {

std::atomic<int> noted = 0;
static_assert(std::atomic<int>::is_always_lock_free, "it is used by a signal's handler");

void note(int number) {
  int none = 0;
  if (!noted.compare_exchange_strong(none, number)) _exit(128 + number);
}

void take_over(int number, struct sigaction& before) {
  sigaction(number, nullptr, &before);
  if (before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;  // what is being read and written is finished
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

StopSignals::StopSignals() {
  noted = 0;
  take_over(SIGINT, interrupt_);
  take_over(SIGTERM, terminate_);
}

StopSignals::~StopSignals() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}

int StopSignals::received() const noexcept { return noted; }

}  // namespace cbir
