#pragma once
/// CPU_FEATURE_ACTIVE(AVX2): what the C library found the processor, and the system, to have (glibc 2.33).

#ifdef __clang__
#define _Bool bool  // the header has C's name for it, which clang does not know in C++
#endif
#include <sys/platform/x86.h>
#undef _Bool
