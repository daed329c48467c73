#pragma once
/// How much of a run may be in memory at once. It changes how fast the run is, and nothing else: a row depends on
/// neither the number of threads nor what its neighbours wait for.

#include <cstddef>
#include <cstdint>
#include <optional>

#include <cbir/base/memory.hpp>
#include <cbir/extract/extract.hpp>

namespace cbir {

struct MemoryPlan {
  std::size_t threads = 1;
  std::uint64_t pictures = UINT64_MAX;  ///< for decoding, all threads together
};

/// `thread` is what a thread holds while it encodes a batch. As many threads as fit, `threads` at most, and what is
/// then left for pictures; `name` is the encoder's, for the message. Throws ResourceLimit if one thread does not fit.
MemoryPlan plan_memory(const AvailableMemory& available, std::size_t threads, std::uint64_t thread,
                       const std::string& name);

/// The same for a run that is about to begin: where memory is not plentiful, by a trial of the network with one
/// picture.
MemoryPlan plan_memory(const Encoder& encoder, const ExtractOptions& options, std::size_t threads);

/// Opens the encoder, unless that would take more memory than there is: ResourceLimit says so before any is taken.
std::unique_ptr<Encoder> open_within_memory(const EncoderChoice& choice);

}  // namespace cbir
