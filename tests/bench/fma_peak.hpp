#pragma once
/// What the processor can do at most, measured: the yardstick of everything that multiplies.

#include <cstddef>

/// Floating-point operations a second, of `threads` threads at once, in chains of float32 fused multiply-add that no
/// memory holds up, by the widest instructions there are.
double fma_peak(std::size_t threads);
