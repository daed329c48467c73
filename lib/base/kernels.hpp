/// What a file of kernels begins with, after it has defined HWY_TARGET_INCLUDE as its own name (and HWY_WANT_AVX3_DL
/// if it has code for that): Highway includes the file again for each instruction set, and the best one is chosen at
/// run time. So there is no include guard, but around what is the same for all of them.
///
/// Nothing is compiled for SSSE3, which gains nothing over what is below, and for vectors of unknown size, which cannot
/// form tiles.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <hwy/foreach_target.h>  // before the rest
#include <hwy/highway.h>

#ifndef CBIR_KERNELS
#define CBIR_KERNELS

#include <bit>
#include <cstddef>
#include <cstdint>

#include "lib/base/targets.hpp"

/// Before a loop over sums: they stay in registers only where every index of theirs is a constant.
#ifdef __clang__
#define CBIR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CBIR_UNROLL _Pragma("GCC unroll 8")
#endif

/// CBIR_EXPORT(F), once all targets are compiled (#if HWY_ONCE), in the namespace around theirs: the table of F's
/// variants. CBIR_DISPATCH(F)(...) calls the best one. As HWY_EXPORT and HWY_DYNAMIC_DISPATCH, but see targets.hpp.
#define CBIR_EXPORT(F) \
  constexpr decltype(&HWY_STATIC_DISPATCH(F)) F##_variants[] = {HWY_CHOOSE_TARGET_LIST(F), HWY_CHOOSE_FALLBACK(F)}
#define CBIR_DISPATCH(F) (*F##_variants[cbir::variant_of(HWY_TARGETS)])

namespace cbir {

/// The best of the compiled targets by its place in a table of variants, which ends with what every processor runs.
inline std::size_t variant_of(std::int64_t compiled) {
  constexpr std::uint64_t kFallback = std::uint64_t{HWY_CHOSEN_TARGET_MASK_SCALAR};
  const auto chosen = static_cast<std::uint64_t>(HWY_CHOSEN_TARGET_SHIFT(supported_targets() & compiled)) | kFallback;
  return static_cast<std::size_t>(std::countr_zero(chosen)) - 1;  // Highway's own tables have one more before
}

}  // namespace cbir

#endif
