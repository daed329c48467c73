#pragma once
/// What the C boundaries of the plug-in do: cbir/encoder/net_plugin.h, cbir/local/local_plugin.h and
/// cbir/detect/detect_plugin.h.

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <malloc.h>

#include <cbir/base/boundary.hpp>

namespace cbir::nets {

/// Activations are allocated and freed layer by layer. With glibc's defaults the larger ones go back to the kernel each
/// time and fault in again, which takes as long as the arithmetic. 32 MiB is the highest threshold that glibc accepts.
inline void keep_freed_memory() {
  static const bool done = mallopt(M_MMAP_THRESHOLD, 32 << 20) && mallopt(M_TRIM_THRESHOLD, 256 << 20);
  static_cast<void>(done);
}

/// float32 means float32: by default cuDNN rounds the factors of convolutions to TF32, which has 11 significant bits.
inline void forbid_tf32() { at::globalContext().setAllowTF32CuDNN(false); }

/// Callers bring the threads; LibTorch must add none of its own. The setting is per thread for OpenMP.
inline void compute_on_this_thread() {
  thread_local const bool done = (at::set_num_threads(1), true);
  static_cast<void>(done);
}

/// As cbir::guarded(), on this thread alone and without gradients; of LibTorch's own exceptions the message without the
/// backtrace. It has no type for a GPU's memory.
template <typename Body>
int run_guarded(char* message, std::size_t message_size, Body body) {
  return cbir::guarded(message, message_size, [&] {
    try {
      compute_on_this_thread();
      const c10::InferenceMode inference;
      body();
    } catch (const c10::Error& error) {
      const std::string text = error.what_without_backtrace();
      throw Error(text.find("out of memory") == text.npos ? ExitCode::internal : ExitCode::resource, text);
    }
  });
}

}  // namespace cbir::nets
