#pragma once
/// AVX-512 as of Ice Lake and Zen 4: VNNI, VPOPCNTDQ and BITALG besides Highway's AVX3. Highway 1.0.3 has a target of
/// that kind, but lets compilers use AVX-VNNI there, too, which those processors lack. So functions that want these
/// instructions name them by CBIR_AVX512, and the AVX3 variants of kernels hand over to them if has_avx512().

#if defined(__x86_64__)
#define CBIR_HAVE_AVX512 1
#define CBIR_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vpopcntdq,avx512bitalg")))
#include <immintrin.h>
#include "lib/base/x86_features.hpp"
#else
#define CBIR_HAVE_AVX512 0
#endif

namespace cbir {

inline bool has_avx512() {
#if CBIR_HAVE_AVX512
  static const bool has = CPU_FEATURE_ACTIVE(AVX512_VNNI) && CPU_FEATURE_ACTIVE(AVX512_VPOPCNTDQ) &&
                          CPU_FEATURE_ACTIVE(AVX512_BITALG) && CPU_FEATURE_ACTIVE(AVX512VL) &&
                          CPU_FEATURE_ACTIVE(AVX512BW) && CPU_FEATURE_ACTIVE(AVX512DQ);
  return has;
#else
  return false;
#endif
}

}  // namespace cbir
