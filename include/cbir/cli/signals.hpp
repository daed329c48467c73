#pragma once
/// SIGINT and SIGTERM as a request to end in good order.

#include <csignal>

namespace cbir {

/// While one lives, the first SIGINT or SIGTERM is only noted, for work that can be gone on with to be brought to a
/// good end; the second ends the process at once, with status 128+N. A signal that is ignored, as by nohup or in a
/// shell's background, stays so. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// The number of the signal that came, or 0.
  int received() const noexcept;

 private:
  struct sigaction interrupt_ {};  ///< what was there before
  struct sigaction terminate_ {};
};

}  // namespace cbir
