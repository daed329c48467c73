// Compiled once for each instruction set by foreach_target.h; the best one is chosen at run time.
//
// A tile of queries is compared with a panel of rows: four codes of each row lie in one 32-bit lane, a query's four are
// broadcast, so that every lane sums the products of its own row and no sum is added across lanes.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/flat_kernels.cpp"

#define HWY_WANT_AVX3_DL  // the one with VNNI

#include "lib/base/kernels.hpp"  // before the rest

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/index/flat_kernels.hpp"
#include "lib/index/flat_reference.hpp"

HWY_BEFORE_NAMESPACE();
namespace cbir {
namespace HWY_NAMESPACE {
namespace {

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4  // pairs of products came with SSSE3

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kLanes = HWY_MAX_BYTES / sizeof(float);
// Vectors of rows and queries that are worked on at a time: their sums leave room for operands in the registers.
constexpr std::size_t kVectors = HWY_MAX_BYTES >= 64 ? 2 : 1;
constexpr std::size_t kMaxQueries = 8;

using D = hn::FixedTag<float, kLanes>;
using Int = hn::FixedTag<std::int32_t, kLanes>;
using Sums = hn::Vec<Int>;

#if HWY_TARGET <= HWY_AVX3_DL

constexpr std::size_t kGroups = 1;  // that are summed at a time

// In assembler: among the attributes of Highway's target this instruction's is missing in 1.0.3.
HWY_INLINE void AddProducts(Sums& sum, const std::uint8_t* const rows, const std::int32_t* query) {
  __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(_mm512_loadu_si512(rows)), "m"(*query));
}

#else

// Products are summed by four in 16 bits: 255 * 128 fits.
constexpr std::size_t kGroups = 2;

#if HWY_MAX_BYTES == 64
HWY_INLINE auto Rows(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
HWY_INLINE auto Query(const std::int32_t* from) { return _mm512_set1_epi32(*from); }
HWY_INLINE auto PairProducts(__m512i rows, __m512i query) { return _mm512_maddubs_epi16(rows, query); }
HWY_INLINE auto Add16(__m512i a, __m512i b) { return _mm512_add_epi16(a, b); }
HWY_INLINE auto AddPairs(__m512i sums) { return _mm512_madd_epi16(sums, _mm512_set1_epi16(1)); }
#elif HWY_MAX_BYTES == 32
HWY_INLINE auto Rows(const std::uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
HWY_INLINE auto Query(const std::int32_t* from) { return _mm256_set1_epi32(*from); }
HWY_INLINE auto PairProducts(__m256i rows, __m256i query) { return _mm256_maddubs_epi16(rows, query); }
HWY_INLINE auto Add16(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
HWY_INLINE auto AddPairs(__m256i sums) { return _mm256_madd_epi16(sums, _mm256_set1_epi16(1)); }
#else
HWY_INLINE auto Rows(const std::uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
HWY_INLINE auto Query(const std::int32_t* from) { return _mm_set1_epi32(*from); }
HWY_INLINE auto PairProducts(__m128i rows, __m128i query) { return _mm_maddubs_epi16(rows, query); }
HWY_INLINE auto Add16(__m128i a, __m128i b) { return _mm_add_epi16(a, b); }
HWY_INLINE auto AddPairs(__m128i sums) { return _mm_madd_epi16(sums, _mm_set1_epi16(1)); }
#endif

HWY_INLINE void AddProducts(Sums& sum, const std::uint8_t* rows, const std::int32_t* query) {
  const auto first = PairProducts(Rows(rows), Query(query));
  const auto second = PairProducts(Rows(rows + kPanelRows * kCodeGroup), Query(query + kTileQueries));
  sum = hn::Add(sum, Sums{AddPairs(Add16(first, second))});
}

#endif

// found[q] gets the bits of the rows begin to begin + kVectors * kLanes of a panel.
template <std::size_t kQueries>
HWY_INLINE void ScanRows(const std::uint8_t* codes, const float* factors, std::size_t begin, const CodeQueries& queries,
                         std::size_t first, std::uint32_t* found) {
  const D d;
  const std::size_t tile = first / kTileQueries, groups = queries.groups;
  const std::int32_t* query = queries.codes.data() + tile * groups * kTileQueries + first % kTileQueries;
  Sums sums[kQueries][kVectors];
  CBIR_UNROLL
  for (std::size_t q = 0; q < kQueries; ++q)
    for (std::size_t v = 0; v < kVectors; ++v) sums[q][v] = hn::Set(Int(), queries.start[first + q]);
  codes += begin * kCodeGroup;
  for (std::size_t g = 0; g < groups; g += kGroups) {
    CBIR_UNROLL
    for (std::size_t q = 0; q < kQueries; ++q)
      for (std::size_t v = 0; v < kVectors; ++v) AddProducts(sums[q][v], codes + v * kLanes * kCodeGroup, query + q);
    codes += kGroups * kPanelRows * kCodeGroup;
    query += kGroups * kTileQueries;
  }
  const auto doubt = hn::Set(d, queries.doubt[tile]), weight = hn::Set(d, queries.square_weight);
  hn::Vec<D> scale[kVectors], margin[kVectors], constant[kVectors];
  for (std::size_t v = 0; v < kVectors; ++v) {
    const float* from = factors + begin + v * kLanes;
    const auto factor = [&](RowFactor kind) { return from + static_cast<std::size_t>(kind) * kPanelRows; };
    scale[v] = hn::LoadU(d, factor(RowFactor::scale));
    margin[v] = hn::MulAdd(doubt, hn::LoadU(d, factor(RowFactor::length)), hn::LoadU(d, factor(RowFactor::residual)));
    constant[v] = queries.square_weight == 0 ? hn::Zero(d) : hn::Mul(weight, hn::LoadU(d, factor(RowFactor::square)));
  }
  CBIR_UNROLL
  for (std::size_t q = 0; q < kQueries; ++q) {
    const auto slope = hn::Set(d, queries.slope[first + q]), width = hn::Set(d, queries.width[first + q]);
    const auto threshold = hn::Set(d, queries.threshold[first + q]);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto product = hn::Mul(hn::ConvertTo(d, sums[q][v]), scale[v]);
      const auto passes = hn::Ge(hn::MulAdd(slope, product, hn::MulAdd(width, margin[v], constant[v])), threshold);
      if (HWY_LIKELY(hn::AllFalse(d, passes))) continue;
      std::uint8_t bits[8] = {};
      hn::StoreMaskBits(d, passes, bits);
      std::uint32_t rows = 0;
      std::memcpy(&rows, bits, sizeof rows);
      found[q] |= rows << (begin + v * kLanes);
    }
  }
}

template <std::size_t kQueries>
void ScanPanels(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                std::size_t first, std::vector<Passing>& out) {
  for (const std::uint32_t panel : which) {
    const std::uint8_t* codes = panels.codes + panel * panels.dim * kPanelRows;
    const float* factors = panels.factors + panel * panels.factor_kinds * kPanelRows;
    std::uint32_t found[kQueries] = {};
    for (std::size_t begin = 0; begin < kPanelRows; begin += kVectors * kLanes)
      ScanRows<kQueries>(codes, factors, begin, queries, first, found);
    for (std::size_t q = 0; q < kQueries; ++q)
      if (HWY_UNLIKELY(found[q] != 0)) out.push_back({static_cast<std::uint32_t>(first + q), panel, found[q]});
  }
}

void FindPassing(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                 std::vector<Passing>& out) {
  for (std::size_t q = 0; q < queries.count;) {
    const std::size_t left = queries.count - q;
    if (left >= kMaxQueries) {
      ScanPanels<kMaxQueries>(panels, which, queries, q, out);
      q += kMaxQueries;
    } else if (left >= kMaxQueries / 2) {
      ScanPanels<kMaxQueries / 2>(panels, which, queries, q, out);
      q += kMaxQueries / 2;
    } else if (left >= 2) {
      ScanPanels<2>(panels, which, queries, q, out);
      q += 2;
    } else {
      ScanPanels<1>(panels, which, queries, q, out);
      ++q;
    }
  }
}

#else

constexpr std::size_t kGroups = 0;

void FindPassing(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                 std::vector<Passing>& out) {
  reference::find_passing(panels, which, queries, out);
}

#endif

std::size_t SummedGroups() { return kGroups; }
const char* Target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cbir
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir {
namespace {
CBIR_EXPORT(FindPassing);
CBIR_EXPORT(SummedGroups);
CBIR_EXPORT(Target);
}  // namespace

CodeQueries::CodeQueries(std::size_t query_count, std::size_t dim)
    : count(query_count), groups(dim / kCodeGroup), start(count), slope(count), width(count), threshold(count) {
  const std::size_t tiles = (count + kTileQueries - 1) / kTileQueries;
  codes.resize(tiles * groups * kTileQueries);
  doubt.resize(tiles);
}

void CodeQueries::set_codes(std::size_t query, std::span<const std::int8_t> vector) {
  std::int32_t* to = codes.data() + query / kTileQueries * groups * kTileQueries + query % kTileQueries;
  std::int32_t sum = 0;
  for (std::size_t g = 0; g < groups; ++g) std::memcpy(to + g * kTileQueries, &vector[g * kCodeGroup], kCodeGroup);
  for (const std::int8_t code : vector) sum += code;
  start[query] = -kCodeOffset * sum;
}

void find_passing(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                  std::vector<Passing>& out) {
  CBIR_DISPATCH(FindPassing)(panels, which, queries, out);
}

bool has_code_kernel() { return CBIR_DISPATCH(SummedGroups)() != 0; }

int largest_query_code(std::span<const float> query) {
  constexpr int kAny = 127;
  if (CBIR_DISPATCH(SummedGroups)() != 2) return kAny;
  // Products are summed in 16 bits: those of two neighbours and of the two kCodeGroup further. Rounding adds half to
  // each code, so that the four are no more than 126 + 2.
  float largest = 0, most = 0;
  for (std::size_t i = 0; i < query.size(); i += 2 * kCodeGroup) {
    for (std::size_t j = i; j < i + kCodeGroup; j += 2) {
      const float four[] = {std::abs(query[j]), std::abs(query[j + 1]), std::abs(query[j + kCodeGroup]),
                            std::abs(query[j + kCodeGroup + 1])};
      largest = std::max({largest, four[0], four[1], four[2], four[3]});
      most = std::max(most, four[0] + four[1] + four[2] + four[3]);
    }
  }
  return most > 0 ? static_cast<int>(126 * (largest / most)) : kAny;
}

std::string code_target() { return CBIR_DISPATCH(Target)(); }

}  // namespace cbir
#endif
