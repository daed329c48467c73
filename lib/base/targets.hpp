#pragma once
/// Which instruction sets there is to choose from, as Highway numbers them (HWY_AVX2, ...). Highway's own functions for
/// this are in libhwy.so, and loading that costs a program several milliseconds: version 1.0.3 measures the clock.

#include <cstdint>

namespace cbir {

/// Targets whose code this processor runs, of those that kernels.hpp has compiled; what every processor runs included.
std::int64_t supported_targets();

/// From now on only those of `targets` are chosen from, and what every processor runs; 0: all again. For tests and
/// benchmarks; not while kernels run.
void restrict_targets(std::int64_t targets);

}  // namespace cbir
