#include "lib/base/targets.hpp"

#include <hwy/targets.h>
#if HWY_ARCH_X86
#include "lib/base/x86_features.hpp"
#endif

#include <atomic>

namespace cbir {
namespace {

constexpr std::int64_t kAnywhere = HWY_STATIC_TARGET | HWY_EMU128 | HWY_SCALAR;

/// What the C library found when the program started, the system's consent included: asking the processor again takes
/// a virtual machine some microseconds each time.
std::int64_t detect() {
  std::int64_t out = kAnywhere;
#if HWY_ARCH_X86
  const bool sse4 = CPU_FEATURE_ACTIVE(SSSE3) && CPU_FEATURE_ACTIVE(SSE4_1) && CPU_FEATURE_ACTIVE(SSE4_2) &&
                    CPU_FEATURE_ACTIVE(PCLMULQDQ) && CPU_FEATURE_ACTIVE(AES);
  const bool avx2 = sse4 && CPU_FEATURE_ACTIVE(AVX2) && CPU_FEATURE_ACTIVE(FMA) && CPU_FEATURE_ACTIVE(F16C) &&
                    CPU_FEATURE_ACTIVE(LZCNT) && CPU_FEATURE_ACTIVE(BMI1) && CPU_FEATURE_ACTIVE(BMI2);
  const bool avx3 = avx2 && CPU_FEATURE_ACTIVE(AVX512F) && CPU_FEATURE_ACTIVE(AVX512VL) &&
                    CPU_FEATURE_ACTIVE(AVX512DQ) && CPU_FEATURE_ACTIVE(AVX512BW) && CPU_FEATURE_ACTIVE(AVX512CD);
  const bool avx3_dl = avx3 && CPU_FEATURE_ACTIVE(AVX512_VNNI) && CPU_FEATURE_ACTIVE(AVX512_VBMI) &&
                       CPU_FEATURE_ACTIVE(AVX512_VBMI2) && CPU_FEATURE_ACTIVE(AVX512_VPOPCNTDQ) &&
                       CPU_FEATURE_ACTIVE(AVX512_BITALG) && CPU_FEATURE_ACTIVE(VPCLMULQDQ) && CPU_FEATURE_ACTIVE(VAES);
  if (sse4) out |= HWY_SSE4;
  if (avx2) out |= HWY_AVX2;
  if (avx3) out |= HWY_AVX3;
  if (avx3_dl) out |= HWY_AVX3_DL;
#endif
  return out;
}

std::atomic<std::int64_t> allowed{0};  // 0: all

}  // namespace

std::int64_t supported_targets() {
  static const std::int64_t detected = detect();
  const std::int64_t only = allowed.load(std::memory_order_relaxed);
  return only == 0 ? detected : detected & (only | kAnywhere);
}

void restrict_targets(std::int64_t targets) { allowed = targets; }

}  // namespace cbir
