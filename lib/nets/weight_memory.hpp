#pragma once
/// Where packed weights lie.

#include <cstddef>
#include <memory>

namespace cbir::nets {

/// Uninitialised memory beside that of other weights, in pages of 2 MiB if the kernel has them: a network reads all its
/// weights for every picture, and the processor fetches ahead only to the end of a page. Thread-safe.
std::shared_ptr<void> weight_memory(std::size_t size);

}  // namespace cbir::nets
