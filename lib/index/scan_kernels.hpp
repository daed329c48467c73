#pragma once
/// Kernels of the scan that only the index itself uses.

#include <cstddef>

namespace cbir {

/// The first i in [begin, count) with scores[i] >= threshold; count if there is none. NaN is never found.
std::size_t first_at_least(const float* scores, std::size_t begin, std::size_t count, float threshold);

}  // namespace cbir
