// Compiled once for each instruction set by foreach_target.h, which includes this file again and again; the best one is
// chosen at run time.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/pq4_kernels.cpp"

#define HWY_WANT_AVX3_DL  // the one with permutations of single bytes (VBMI) and sums of four (VNNI)

#include "lib/base/kernels.hpp"  // before the rest

#include <hwy/cache_control.h>

#include <bit>

#include "lib/index/pq4_kernels.hpp"
#include "lib/index/pq4_reference.hpp"

HWY_BEFORE_NAMESPACE();
namespace cbir {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

void Scan(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end,
          std::span<const Pq4Scan> scans, const Pq4Filter& filter) {
  reference::pq4_scan(blocks, lines, begin, end, scans, filter);
}

void InnerProducts(const float* vector, const float* codebooks, std::size_t sub_quantizers, std::size_t dims,
                   float* tables) {
  reference::pq4_inner_products(vector, codebooks, sub_quantizers, dims, tables);
}

void Ranges(const float* tables, std::size_t sub_quantizers, float* smallest, float* largest) {
  reference::pq4_ranges(tables, sub_quantizers, smallest, largest);
}

void Quantize(const float* tables, std::size_t sub_quantizers, const float* smallest, float scale,
              std::uint8_t* bytes) {
  reference::pq4_quantize(tables, sub_quantizers, smallest, scale, bytes);
}

void BestCodes(const float* tables, const float* offsets, std::size_t sub_quantizers, std::uint8_t* codes) {
  reference::pq4_best(tables, offsets, sub_quantizers, codes);
}

void BestDifference(const float* values, const float* offsets, std::size_t count, std::size_t first, Best& best) {
  reference::best_difference(values, offsets, count, first, best);
}

#else

namespace hn = hwy::HWY_NAMESPACE;

// Codes are fetched this many bytes ahead: the hardware stops at the end of a page.
constexpr std::size_t kAhead = 2048;

// Rows of a block that reach the limit; `scores`, without bias, are written if there are any.
struct Found {
  std::uint32_t rows;
  alignas(64) std::int32_t scores[pq4::kBlockRows];
};

// Scores reach a threshold if they reach this without their bias.
HWY_INLINE std::int32_t Limit(const Pq4Scan& scan) {
  const std::int64_t limit = std::int64_t{scan.out->threshold()} - scan.bias;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(limit, 0, 1 << 16));
}

HWY_INLINE void AddFound(const Found& found, std::uint32_t rows, std::size_t first, const Pq4Scan& scan,
                         const Pq4Filter& filter) {
  scan.out->make_room();
  for (; rows != 0; rows &= rows - 1) {
    const auto row = static_cast<std::size_t>(std::countr_zero(rows));
    if (filter.passes(first + row))
      scan.out->add(found.scores[row] + scan.bias, filter.base + static_cast<std::uint32_t>(first + row));
  }
}

#if HWY_TARGET <= HWY_AVX3_DL && HWY_ARCH_X86

// A table of 64 bytes holds those of four sub-quantisers, so one permutation looks up four codes of each of 16 rows,
// and vpdpbusd adds the four. The codes' bytes come by sub-quantiser and are put in order by row once for all queries.
constexpr std::size_t kTogether = 6;

using Line = __m512i;
using Sums = Line;

// In assembler: among the attributes of Highway's target this instruction's is missing in 1.0.3.
// By value, lest sums live in memory.
HWY_INLINE Line AddFours(Line sum, Line bytes) {
  const Line ones = _mm512_set1_epi8(1);
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(bytes), "v"(ones));
  return sum;
}

HWY_INLINE Line ByRow() {
  alignas(64) std::uint8_t index[64];
  for (std::size_t i = 0; i < 64; ++i) index[i] = static_cast<std::uint8_t>(i % 4 * 16 + i / 4);
  return _mm512_load_si512(index);
}

template <std::size_t kScans>
HWY_INLINE void ScoreBlock(const std::uint8_t* block, std::size_t lines, const Pq4Scan* scans, Sums (&low)[kScans],
                           Sums (&high)[kScans]) {
  const Line factors = _mm512_loadu_si512(block);
  for (std::size_t q = 0; q < kScans; ++q) {
    const Line scaled =
        _mm512_mulhrs_epi16(factors, _mm512_set1_epi16(static_cast<std::int16_t>(scans[q].factor_scale)));
    low[q] = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(scaled));
    high[q] = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(scaled, 1));
  }
  const Line by_row = ByRow(), nibble = _mm512_set1_epi8(15), which = _mm512_set1_epi32(0x30201000);
  for (std::size_t line = 0; line < lines; ++line) {
    hwy::Prefetch(block + kAhead + line * pq4::kLine);
    const Line codes = _mm512_permutexvar_epi8(by_row, _mm512_loadu_si512(block + (line + 1) * pq4::kLine));
    constexpr int kAndOr = 0xea;  // (a & b) | c
    const Line first = _mm512_ternarylogic_epi32(codes, nibble, which, kAndOr);
    const Line second = _mm512_ternarylogic_epi32(_mm512_srli_epi16(codes, 4), nibble, which, kAndOr);
    for (std::size_t q = 0; q < kScans; ++q) {
      const Line table = _mm512_load_si512(scans[q].tables + line * pq4::kLine);
      low[q] = AddFours(low[q], _mm512_permutexvar_epi8(first, table));
      high[q] = AddFours(high[q], _mm512_permutexvar_epi8(second, table));
    }
  }
}

HWY_INLINE void Select(const std::uint8_t* /*block*/, Line low, Line high, const Pq4Scan& scan, Found& found) {
  const Line least = _mm512_set1_epi32(Limit(scan));
  found.rows = static_cast<std::uint32_t>(_mm512_cmpge_epi32_mask(low, least)) |
               static_cast<std::uint32_t>(_mm512_cmpge_epi32_mask(high, least)) << 16;
  if (HWY_LIKELY(found.rows == 0)) return;
  _mm512_store_si512(found.scores, low);
  _mm512_store_si512(found.scores + 16, high);
}

#else

// Shuffles look up 16 codes of one sub-quantiser in each 16 bytes of a vector. Bytes are summed as words: the low
// halves of `all` are the sums for even rows once those for odd ones, `odd`, are taken away.
constexpr std::size_t kTogether = HWY_MAX_BYTES >= 64 || HWY_ARCH_ARM_A64 ? 4 : 2;
constexpr std::size_t kBytes = std::min<std::size_t>(pq4::kLine, HWY_MAX_BYTES);

using Bytes8 = hn::FixedTag<std::uint8_t, kBytes>;
using Words = hn::FixedTag<std::uint16_t, kBytes / 2>;
using Eight = hn::FixedTag<std::uint16_t, 8>;

struct Sums {
  hn::Vec<Words> all, odd;

  HWY_INLINE void Add(hn::Vec<Bytes8> bytes) {
    const auto words = hn::BitCast(Words(), bytes);
    all = hn::Add(all, words);
    odd = hn::Add(odd, hn::ShiftRight<8>(words));
  }
};

#if HWY_MAX_BYTES >= 64
HWY_INLINE hn::Vec<Eight> AddParts(hn::Vec<Words> sums) {
  const hn::FixedTag<std::uint16_t, 16> half;
  const auto halves = hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums));
  return hn::Add(hn::LowerHalf(Eight(), halves), hn::UpperHalf(Eight(), halves));
}
#elif HWY_MAX_BYTES >= 32
HWY_INLINE hn::Vec<Eight> AddParts(hn::Vec<Words> sums) {
  return hn::Add(hn::LowerHalf(Eight(), sums), hn::UpperHalf(Eight(), sums));
}
#else
HWY_INLINE hn::Vec<Eight> AddParts(hn::Vec<Words> sums) { return sums; }
#endif

// The sums of 16 rows, eight and eight.
HWY_INLINE void ByRow(const Sums& sums, hn::Vec<Eight>& first, hn::Vec<Eight>& second) {
  const auto odd = AddParts(sums.odd);
  const auto even = hn::Sub(AddParts(sums.all), hn::ShiftLeft<8>(odd));
  first = hn::InterleaveLower(Eight(), even, odd);
  second = hn::InterleaveUpper(Eight(), even, odd);
}

HWY_INLINE std::uint32_t AtLeast(hn::Vec<Eight> scores, hn::Vec<Eight> limit) {
  std::uint8_t bits[8] = {};
  hn::StoreMaskBits(Eight(), hn::Eq(hn::Max(scores, limit), scores), bits);
  return bits[0];
}

HWY_INLINE void Select(const std::uint8_t* block, const Sums& low, const Sums& high, const Pq4Scan& scan,
                       Found& found) {
  const std::int32_t limit = Limit(scan);
  found.rows = 0;
  if (limit > 0xffff) return;
  const Eight d;
  const hn::RebindToSigned<Eight> di;
  hn::Vec<Eight> scores[4];
  ByRow(low, scores[0], scores[1]);
  ByRow(high, scores[2], scores[3]);
  const auto scale = hn::Set(di, static_cast<std::int16_t>(scan.factor_scale));
  const auto least = hn::Set(d, static_cast<std::uint16_t>(limit));
  for (std::size_t i = 0; i < 4; ++i) {
    const auto factors = hn::LoadU(di, reinterpret_cast<const std::int16_t*>(block) + i * 8);
    scores[i] = hn::Add(scores[i], hn::BitCast(d, hn::MulFixedPoint15(factors, scale)));
    found.rows |= AtLeast(scores[i], least) << (i * 8);
  }
  if (HWY_LIKELY(found.rows == 0)) return;
  alignas(16) std::uint16_t words[8];
  for (std::size_t i = 0; i < 4; ++i) {
    hn::Store(scores[i], d, words);
    std::copy_n(words, 8, found.scores + i * 8);
  }
}

template <std::size_t kScans>
HWY_INLINE void ScoreBlock(const std::uint8_t* block, std::size_t lines, const Pq4Scan* scans, Sums (&low)[kScans],
                           Sums (&high)[kScans]) {
  const Bytes8 d;
  const auto nibble = hn::Set(d, std::uint8_t{15});
  for (std::size_t q = 0; q < kScans; ++q) low[q].all = low[q].odd = high[q].all = high[q].odd = hn::Zero(Words());
  for (std::size_t i = 0; i < lines * pq4::kLine; i += kBytes) {
    if (i % pq4::kLine == 0) hwy::Prefetch(block + kAhead + i);
    const auto codes = hn::LoadU(d, block + pq4::kLine + i);
    const auto first = hn::And(codes, nibble);
    const auto second = hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(Words(), codes))), nibble);
    for (std::size_t q = 0; q < kScans; ++q) {
      const auto table = hn::Load(d, scans[q].tables + i);
      low[q].Add(hn::TableLookupBytes(table, first));
      high[q].Add(hn::TableLookupBytes(table, second));
    }
  }
}

#endif

template <std::size_t kScans>
void ScanBlocks(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end, const Pq4Scan* scans,
                const Pq4Filter& filter) {
  const std::size_t stride = pq4::kLine * (1 + lines);
  Found found;
  for (std::size_t first = begin / pq4::kBlockRows * pq4::kBlockRows; first < end; first += pq4::kBlockRows) {
    std::uint32_t within = ~0U;
    if (first < begin) within &= ~0U << (begin - first);
    if (end - first < pq4::kBlockRows) within &= ~0U >> (pq4::kBlockRows - (end - first));
    const std::uint8_t* block = blocks + first / pq4::kBlockRows * stride;
    Sums low[kScans], high[kScans];
    ScoreBlock<kScans>(block, lines, scans, low, high);
    for (std::size_t q = 0; q < kScans; ++q) {
      Select(block, low[q], high[q], scans[q], found);
      if (const std::uint32_t rows = found.rows & within; rows != 0) AddFound(found, rows, first, scans[q], filter);
    }
  }
}

void Scan(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end,
          std::span<const Pq4Scan> scans, const Pq4Filter& filter) {
  std::size_t q = 0;
  for (; q + kTogether <= scans.size(); q += kTogether)
    ScanBlocks<kTogether>(blocks, lines, begin, end, scans.data() + q, filter);
  if constexpr (kTogether > 4)
    for (; q + 4 <= scans.size(); q += 4) ScanBlocks<4>(blocks, lines, begin, end, scans.data() + q, filter);
  if constexpr (kTogether > 2)
    for (; q + 2 <= scans.size(); q += 2) ScanBlocks<2>(blocks, lines, begin, end, scans.data() + q, filter);
  for (; q < scans.size(); ++q) ScanBlocks<1>(blocks, lines, begin, end, scans.data() + q, filter);
}

constexpr std::size_t kFloats = std::min<std::size_t>(pq4::kCentroids, HWY_MAX_BYTES / sizeof(float));
constexpr std::size_t kParts = pq4::kCentroids / kFloats;  // vectors of a table
using D = hn::FixedTag<float, kFloats>;

void InnerProducts(const float* vector, const float* codebooks, std::size_t sub_quantizers, std::size_t dims,
                   float* tables) {
  const D d;
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    hn::Vec<D> sums[kParts];
    for (auto& sum : sums) sum = hn::Zero(d);
    for (std::size_t i = s * dims; i < (s + 1) * dims; ++i) {
      const auto x = hn::Set(d, vector[i]);
      for (std::size_t part = 0; part < kParts; ++part)
        sums[part] = hn::MulAdd(x, hn::LoadU(d, codebooks + i * pq4::kCentroids + part * kFloats), sums[part]);
    }
    for (std::size_t part = 0; part < kParts; ++part)
      hn::StoreU(sums[part], d, tables + s * pq4::kCentroids + part * kFloats);
  }
}

void Ranges(const float* tables, std::size_t sub_quantizers, float* smallest, float* largest) {
  const D d;
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    const float* table = tables + s * pq4::kCentroids;
    auto low = hn::LoadU(d, table), high = low;
    for (std::size_t part = 1; part < kParts; ++part) {
      const auto values = hn::LoadU(d, table + part * kFloats);
      low = hn::Min(low, values);
      high = hn::Max(high, values);
    }
    smallest[s] = hn::GetLane(hn::MinOfLanes(d, low));
    largest[s] = hn::GetLane(hn::MaxOfLanes(d, high));
  }
}

void Quantize(const float* tables, std::size_t sub_quantizers, const float* smallest, float scale,
              std::uint8_t* bytes) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<std::uint8_t, D> d8;
  const auto factor = hn::Set(d, scale), largest = hn::Set(d, 255.0F);
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    const auto least = hn::Set(d, smallest[s]);
    for (std::size_t i = s * pq4::kCentroids; i < (s + 1) * pq4::kCentroids; i += kFloats) {
      const auto value = hn::Mul(hn::Sub(hn::LoadU(d, tables + i), least), factor);
      const auto kept = hn::IfThenElseZero(hn::Gt(value, hn::Zero(d)), hn::Min(value, largest));
      hn::StoreU(hn::DemoteTo(d8, hn::Max(hn::NearestInt(kept), hn::Zero(di))), d8, bytes + i);
    }
  }
}

void BestCodes(const float* tables, const float* offsets, std::size_t sub_quantizers, std::uint8_t* codes) {
  const D d;
  for (std::size_t s = 0; s < sub_quantizers; ++s) {
    hn::Vec<D> values[kParts];
    for (std::size_t part = 0; part < kParts; ++part) {
      const std::size_t i = s * pq4::kCentroids + part * kFloats;
      values[part] = hn::Sub(hn::LoadU(d, tables + i), hn::LoadU(d, offsets + i));
    }
    auto best = values[0];
    for (std::size_t part = 1; part < kParts; ++part) best = hn::Max(best, values[part]);
    best = hn::MaxOfLanes(d, best);
    std::uint8_t code = 0;
    for (std::size_t part = 0; part < kParts; ++part) {
      const auto at = hn::FindFirstTrue(d, hn::Eq(values[part], best));
      if (at < 0) continue;
      code = static_cast<std::uint8_t>(part * kFloats + static_cast<std::size_t>(at));
      break;
    }
    codes[s] = code;
  }
}

void BestDifference(const float* values, const float* offsets, std::size_t count, std::size_t first, Best& best) {
  const D d;
  std::size_t i = 0;
  // The largest of four vectors at a time is rarely a new one.
  auto largest = hn::Set(d, best.value);
  for (; i + 4 * kFloats <= count; i += 4 * kFloats) {
    hn::Vec<D> differences[4];
    for (std::size_t part = 0; part < 4; ++part) {
      const std::size_t at = i + part * kFloats;
      differences[part] = hn::Sub(hn::LoadU(d, values + at), hn::LoadU(d, offsets + at));
    }
    const auto four = hn::Max(hn::Max(differences[0], differences[1]), hn::Max(differences[2], differences[3]));
    if (HWY_LIKELY(hn::AllFalse(d, hn::Gt(four, largest)))) continue;
    reference::best_difference(values + i, offsets + i, 4 * kFloats, first + i, best);
    largest = hn::Set(d, best.value);
  }
  reference::best_difference(values + i, offsets + i, count - i, first + i, best);
}

#endif

const char* Target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cbir
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir {
namespace {
CBIR_EXPORT(Scan);
CBIR_EXPORT(InnerProducts);
CBIR_EXPORT(Ranges);
CBIR_EXPORT(Quantize);
CBIR_EXPORT(BestCodes);
CBIR_EXPORT(BestDifference);
CBIR_EXPORT(Target);
}  // namespace

void pq4_scan(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end,
              std::span<const Pq4Scan> scans, const Pq4Filter& filter) {
  CBIR_DISPATCH(Scan)(blocks, lines, begin, end, scans, filter);
}

void pq4_inner_products(const float* vector, const float* codebooks, std::size_t sub_quantizers, std::size_t dims,
                        float* tables) {
  CBIR_DISPATCH(InnerProducts)(vector, codebooks, sub_quantizers, dims, tables);
}

void pq4_ranges(const float* tables, std::size_t sub_quantizers, float* smallest, float* largest) {
  CBIR_DISPATCH(Ranges)(tables, sub_quantizers, smallest, largest);
}

void pq4_quantize(const float* tables, std::size_t sub_quantizers, const float* smallest, float scale,
                  std::uint8_t* bytes) {
  CBIR_DISPATCH(Quantize)(tables, sub_quantizers, smallest, scale, bytes);
}

void pq4_best(const float* tables, const float* offsets, std::size_t sub_quantizers, std::uint8_t* codes) {
  CBIR_DISPATCH(BestCodes)(tables, offsets, sub_quantizers, codes);
}

void best_difference(const float* values, const float* offsets, std::size_t count, std::size_t first, Best& best) {
  CBIR_DISPATCH(BestDifference)(values, offsets, count, first, best);
}

std::string pq4_target() { return CBIR_DISPATCH(Target)(); }

}  // namespace cbir
#endif
