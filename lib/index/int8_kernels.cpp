// Compiled once for each instruction set by foreach_target.h; the best one is chosen at run time.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/int8_kernels.cpp"

#include "lib/base/kernels.hpp"  // before the rest

#include <algorithm>

#include "lib/index/avx512.hpp"
#include "lib/index/int8_kernels.hpp"

#ifndef CBIR_INT8_AVX512  // what follows is not compiled again
#define CBIR_INT8_AVX512
#if CBIR_HAVE_AVX512
namespace cbir::avx512 {
namespace {

// VNNI multiplies unsigned by signed: 128 is added to the row's codes, and 128 times the query's sum taken off at the
// end.
template <std::size_t kCount>
CBIR_AVX512 inline void row_products(const std::int8_t* query, const std::int8_t* const* rows, std::size_t count,
                                     std::int32_t* products) {
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i offset = _mm512_setzero_si512(), sums[kCount];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < count; i += 64) {
    const __m512i q = _mm512_loadu_si512(query + i);
    offset = _mm512_dpbusd_epi32(offset, flip, q);
    for (std::size_t r = 0; r < kCount; ++r)
      sums[r] = _mm512_dpbusd_epi32(sums[r], _mm512_xor_si512(_mm512_loadu_si512(rows[r] + i), flip), q);
  }
  __m128i four[kCount];
  for (std::size_t r = 0; r < kCount; ++r) {
    const __m512i sum = _mm512_sub_epi32(sums[r], offset);
    // The masked form, since gcc 12 warns of its own header at the other ones.
    const __m256i eight =
        _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xF, sum, 0), _mm512_maskz_extracti64x4_epi64(0xF, sum, 1));
    four[r] = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  }
  if constexpr (kCount == 4) {
    const __m128i all = _mm_hadd_epi32(_mm_hadd_epi32(four[0], four[1]), _mm_hadd_epi32(four[2], four[3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(products), all);
  } else {
    for (std::size_t r = 0; r < kCount; ++r) {
      const __m128i two = _mm_hadd_epi32(four[r], four[r]);
      products[r] = _mm_cvtsi128_si32(_mm_hadd_epi32(two, two));
    }
  }
}

CBIR_AVX512 float distance(const void* a, const void* b, const void* count) {
  const auto &of_a = *static_cast<const Int8Point*>(a), &of_b = *static_cast<const Int8Point*>(b);
  const auto *codes_a = reinterpret_cast<const std::int8_t*>(&of_a + 1),
             *codes_b = reinterpret_cast<const std::int8_t*>(&of_b + 1);
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i even = _mm512_setzero_si512(), odd = even;
  const std::size_t size = *static_cast<const std::size_t*>(count);
  std::size_t i = 0;
  for (; i + 128 <= size; i += 128) {
    even = _mm512_dpbusd_epi32(even, _mm512_xor_si512(_mm512_loadu_si512(codes_b + i), flip),
                               _mm512_loadu_si512(codes_a + i));
    odd = _mm512_dpbusd_epi32(odd, _mm512_xor_si512(_mm512_loadu_si512(codes_b + i + 64), flip),
                              _mm512_loadu_si512(codes_a + i + 64));
  }
  if (i < size)
    even = _mm512_dpbusd_epi32(even, _mm512_xor_si512(_mm512_loadu_si512(codes_b + i), flip),
                               _mm512_loadu_si512(codes_a + i));
  const __m512i sum = _mm512_add_epi32(even, odd);
  const __m256i eight =
      _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xF, sum, 0), _mm512_maskz_extracti64x4_epi64(0xF, sum, 1));
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1));
  return reference::int8_distance(of_a, of_b, _mm_cvtsi128_si32(four) - 128 * of_a.sum);
}

CBIR_AVX512 void gathered_products(std::span<const std::int8_t> query, CodeRows rows,
                                   std::span<const std::uint32_t> which, std::int32_t* products) {
  const std::int8_t* row[4];
  std::size_t i = 0;
  for (; i + 4 <= which.size(); i += 4) {
    for (std::size_t r = 0; r < 4; ++r) row[r] = rows.data + which[i + r] * rows.stride;
    row_products<4>(query.data(), row, query.size(), products + i);
  }
  for (; i < which.size(); ++i) {
    row[0] = rows.data + which[i] * rows.stride;
    row_products<1>(query.data(), row, query.size(), products + i);
  }
}

}  // namespace
}  // namespace cbir::avx512
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace cbir {
namespace HWY_NAMESPACE {
namespace {

constexpr std::size_t kRows = 4;  // that share the loads of the query

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

template <std::size_t kCount>
void Products(const std::int8_t* query, const std::int8_t* const* rows, std::size_t count, std::int32_t* products) {
  for (std::size_t r = 0; r < kCount; ++r) products[r] = reference::int8_product(query, rows[r], count);
}

#elif CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX2

// Bytes are multiplied as unsigned by signed, so a row's sign goes to the query. Two products of at most 127 squared
// fit 16 bits.
template <std::size_t kCount>
void Products(const std::int8_t* query, const std::int8_t* const* rows, std::size_t count, std::int32_t* products) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kCount];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < count; i += 32) {
    const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
    for (std::size_t r = 0; r < kCount; ++r) {
      const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[r] + i));
      const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(row), _mm256_sign_epi8(q, row));
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(pairs, ones));
    }
  }
  __m128i four[kCount];
  for (std::size_t r = 0; r < kCount; ++r)
    four[r] = _mm_add_epi32(_mm256_castsi256_si128(sums[r]), _mm256_extracti128_si256(sums[r], 1));
  if constexpr (kCount == kRows) {
    const __m128i all = _mm_hadd_epi32(_mm_hadd_epi32(four[0], four[1]), _mm_hadd_epi32(four[2], four[3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(products), all);
  } else {
    for (std::size_t r = 0; r < kCount; ++r) {
      const __m128i two = _mm_hadd_epi32(four[r], four[r]);
      products[r] = _mm_cvtsi128_si32(_mm_hadd_epi32(two, two));
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

template <std::size_t kCount>
void Products(const std::int8_t* query, const std::int8_t* const* rows, std::size_t count, std::int32_t* products) {
  const hn::FixedTag<std::int8_t, 8> bytes;
  const hn::FixedTag<std::int16_t, 8> words;
  const hn::FixedTag<std::int32_t, 4> sums;
  for (std::size_t r = 0; r < kCount; ++r) {
    auto low = hn::Zero(sums), high = hn::Zero(sums);
    for (std::size_t i = 0; i < count; i += 8) {
      const auto q = hn::PromoteTo(words, hn::LoadU(bytes, query + i));
      const auto row = hn::PromoteTo(words, hn::LoadU(bytes, rows[r] + i));
      low = hn::ReorderWidenMulAccumulate(sums, q, row, low, high);
    }
    products[r] = hn::GetLane(hn::SumOfLanes(sums, hn::Add(low, high)));
  }
}

#endif

std::int32_t Product(const std::int8_t* a, const std::int8_t* b, std::size_t count) {
  std::int32_t product = 0;
  Products<1>(a, &b, count, &product);
  return product;
}

void GatheredProducts(std::span<const std::int8_t> query, CodeRows rows, std::span<const std::uint32_t> which,
                      std::int32_t* products) {
#if CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX3
  if (has_avx512()) return avx512::gathered_products(query, rows, which, products);
#endif
  const std::int8_t* row[kRows];
  std::size_t i = 0;
  for (; i + kRows <= which.size(); i += kRows) {
    for (std::size_t r = 0; r < kRows; ++r) row[r] = rows.data + which[i + r] * rows.stride;
    Products<kRows>(query.data(), row, query.size(), products + i);
  }
  for (; i < which.size(); ++i) products[i] = Product(query.data(), rows.data + which[i] * rows.stride, query.size());
}

float Distance(const void* a, const void* b, const void* count) {
  const auto &of_a = *static_cast<const Int8Point*>(a), &of_b = *static_cast<const Int8Point*>(b);
  const auto *codes_a = reinterpret_cast<const std::int8_t*>(&of_a + 1),
             *codes_b = reinterpret_cast<const std::int8_t*>(&of_b + 1);
  return reference::int8_distance(of_a, of_b, Product(codes_a, codes_b, *static_cast<const std::size_t*>(count)));
}

// Pointers to functions of a target cannot be had from Highway, but a function of the target can name them.
Int8Distance PairDistance() {
#if CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX3
  if (has_avx512()) return avx512::distance;
#endif
  return Distance;
}

const char* Target() {
#if CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX3
  if (has_avx512()) return "AVX512_VNNI";
#endif
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cbir
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir {
namespace {
CBIR_EXPORT(GatheredProducts);
CBIR_EXPORT(PairDistance);
CBIR_EXPORT(Target);

}  // namespace

void int8_products(std::span<const std::int8_t> query, CodeRows rows, std::span<const std::uint32_t> which,
                   std::int32_t* products) {
  CBIR_DISPATCH(GatheredProducts)(query, rows, which, products);
}

Int8Distance int8_distance() { return CBIR_DISPATCH(PairDistance)(); }

const char* int8_target() { return CBIR_DISPATCH(Target)(); }

}  // namespace cbir
#endif
