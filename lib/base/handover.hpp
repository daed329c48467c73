#pragma once
/// What ThreadSanitizer has to be told of oneTBB, which is not compiled with it: that what one thread did before it
/// handed something over has happened when another one takes it. Without ThreadSanitizer there is nothing here.

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace cbir {

/// One for each loop or pipeline.
class Handover {
 public:
  void give() noexcept {
#if defined(__SANITIZE_THREAD__)
    __tsan_release(this);
#endif
  }
  void take() noexcept {
#if defined(__SANITIZE_THREAD__)
    __tsan_acquire(this);
#endif
  }
};

/// From taking to giving, also where an exception is what is handed over.
class HandoverTurn {
 public:
  explicit HandoverTurn(Handover& handover) : HandoverTurn(handover, handover) {}
  HandoverTurn(Handover& taken, Handover& given) : given_(given) { taken.take(); }
  ~HandoverTurn() { given_.give(); }
  HandoverTurn(const HandoverTurn&) = delete;
  HandoverTurn& operator=(const HandoverTurn&) = delete;

 private:
  Handover& given_;
};

}  // namespace cbir
