#pragma once
/// How much of a run may be in memory at once. It changes how fast the run is, and nothing else: a row depends on
/// neither the number of threads nor what its neighbours wait for.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <cbir/base/memory.hpp>
#include <cbir/detect/detector.hpp>
#include <cbir/extract/extract.hpp>

namespace cbir {

struct MemoryPlan {
  std::size_t threads = 1;
  std::uint64_t pictures = UINT64_MAX;  ///< for decoding, all threads together
};

/// `thread` is what a thread holds while it works. As many threads as fit, `threads` at most, and what is then left for
/// pictures; `what` it does is for the message. Throws ResourceLimit if one thread does not fit.
MemoryPlan plan_memory(const AvailableMemory& available, std::size_t threads, std::uint64_t thread,
                       const std::string& what);

/// What each thread of a run does with pictures.
struct ThreadWork {
  std::string what;  ///< for messages: "encoding by 'resnet50'"
  std::function<void()>
      trial;                 ///< does it once, with a picture that makes it take as much as others do; empty: on a card
  std::uint64_t inputs = 0;  ///< bytes that a thread holds besides
};

/// The same for a run that is about to begin: where memory is not plentiful, by a trial.
MemoryPlan plan_memory(const ThreadWork& work, std::size_t threads);

/// The same for one that encodes pictures, or what `detector` finds in them.
MemoryPlan plan_memory(const Encoder& encoder, const Detector* detector, const ExtractOptions& options,
                       std::size_t threads);

/// A picture of so many pixels a side that is full of edges and corners, for trials.
Image busy_picture(int side);

/// Opens the encoder, unless that would take more memory than there is: ResourceLimit says so before any is taken.
std::unique_ptr<Encoder> open_within_memory(const EncoderChoice& choice);

/// Does what takes an unknown amount of memory, as loading a network does: ResourceLimit if there is not enough.
void within_memory(const std::string& what, const std::function<void()>& body);

}  // namespace cbir
