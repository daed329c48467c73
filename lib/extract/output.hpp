#pragma once
/// What a batch adds to a set that is being made.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cbir {

/// The growing files of a run.
enum Part : std::size_t { kVectors, kRows, kFailed, kInputs, kParts };

/// What one batch adds to each of them, and how many items that is.
struct BatchOutput {
  std::array<std::string, kParts> parts;
  std::uint64_t items = 0, rows = 0, failed = 0;
  std::uint64_t encoded = 0;  ///< rows that had to go through the network
  std::uint64_t resumed = 0;  ///< items whose result a run had kept that was stopped
};

}  // namespace cbir
