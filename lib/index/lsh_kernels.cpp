// Compiled once for each instruction set by foreach_target.h; the best one is chosen at run time.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/lsh_kernels.cpp"

#include "lib/base/kernels.hpp"  // before the rest

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/index/avx512.hpp"
#include "lib/index/lsh_kernels.hpp"

#ifndef CBIR_LSH_AVX512  // what follows is not compiled again
#define CBIR_LSH_AVX512
#if CBIR_HAVE_AVX512
namespace cbir::avx512 {
namespace {

// A query is each of its bytes 32 times, to be compared with a byte of as many rows; two bytes make a register.
void prepare(std::span<const std::uint8_t> code, std::uint8_t* prepared) {
  for (const std::uint8_t byte : code) {
    std::memset(prepared, byte, kHammingGroup);
    prepared += kHammingGroup;
  }
}

template <std::size_t kQueries>
CBIR_AVX512 void distances(const HammingTile& tile, std::uint16_t* out, std::uint32_t* within) {
  constexpr std::size_t kMostPairs = 31;  // of bytes, whose counts of up to 8 are added as bytes
  const std::size_t pairs = tile.code_bytes / 2;
  for (std::size_t g = 0; g < tile.group_count; ++g) {
    const std::uint8_t* group = tile.groups + g * tile.code_bytes * kHammingGroup;
    __m512i sums[kQueries];
    for (__m512i& sum : sums) sum = _mm512_setzero_si512();
    for (std::size_t begin = 0; begin < pairs; begin += kMostPairs) {
      __m512i counts[kQueries];
      for (__m512i& count : counts) count = _mm512_setzero_si512();
      for (std::size_t i = begin; i < std::min(pairs, begin + kMostPairs); ++i) {
        const __m512i rows = _mm512_loadu_si512(group + i * 64);
        for (std::size_t q = 0; q < kQueries; ++q)
          counts[q] = _mm512_add_epi8(
              counts[q], _mm512_popcnt_epi8(_mm512_xor_si512(rows, _mm512_loadu_si512(tile.queries[q] + i * 64))));
      }
      for (std::size_t q = 0; q < kQueries; ++q) {
        const __m512i low = _mm512_cvtepu8_epi16(_mm512_maskz_extracti64x4_epi64(0xF, counts[q], 0));
        const __m512i high = _mm512_cvtepu8_epi16(_mm512_maskz_extracti64x4_epi64(0xF, counts[q], 1));
        sums[q] = _mm512_add_epi16(sums[q], _mm512_add_epi16(low, high));
      }
    }
    for (std::size_t q = 0; q < kQueries; ++q) {
      const std::size_t at = q * tile.group_count + g;
      _mm512_storeu_si512(out + at * kHammingGroup, sums[q]);
      within[at] = _mm512_cmple_epu16_mask(sums[q], _mm512_set1_epi16(static_cast<short>(tile.limits[q])));
    }
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

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

void Prepare(std::span<const std::uint8_t> code, std::uint8_t* prepared) {
  for (std::size_t i = 0; i < code.size(); ++i) prepared[i * kHammingGroup] = code[i];
}

template <std::size_t kQueries>
void Tile(const HammingTile& tile, std::uint16_t* distances, std::uint32_t* within) {
  for (std::size_t q = 0; q < kQueries; ++q) {
    for (std::size_t g = 0; g < tile.group_count; ++g) {
      const std::size_t at = q * tile.group_count + g;
      within[at] = 0;
      for (std::size_t row = 0; row < kHammingGroup; ++row) {
        int sum = 0;
        for (std::size_t i = 0; i < tile.code_bytes; ++i) {
          const unsigned byte = tile.groups[(g * tile.code_bytes + i) * kHammingGroup + row];
          sum += std::popcount(byte ^ tile.queries[q][i * kHammingGroup]);
        }
        distances[at * kHammingGroup + row] = static_cast<std::uint16_t>(sum);
        within[at] |= std::uint32_t{sum <= tile.limits[q]} << row;
      }
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

// For each byte of the query two tables: how far each low and each high half of a row's byte is from the query's.
void Prepare(std::span<const std::uint8_t> code, std::uint8_t* prepared) {
  for (const std::uint8_t byte : code) {
    for (unsigned half = 0; half < 16; ++half) {
      prepared[half] = static_cast<std::uint8_t>(std::popcount(half ^ (byte & 15U)));
      prepared[half + 16] = static_cast<std::uint8_t>(std::popcount(half ^ (byte >> 4U)));
    }
    prepared += kHammingGroup;
  }
}

template <std::size_t kQueries>
void Tile(const HammingTile& tile, std::uint16_t* distances, std::uint32_t* within) {
  const hn::CappedTag<std::uint8_t, kHammingGroup> d;
  const hn::Half<decltype(d)> half;
  const hn::Repartition<std::uint16_t, decltype(d)> words;
  constexpr std::size_t kMostBytes = 31;  // whose counts of up to 8 are added as bytes
  const std::size_t lanes = hn::Lanes(d), half_lanes = lanes / 2;
  const auto low_half = hn::Set(d, 15);
  for (std::size_t g = 0; g < tile.group_count; ++g) {
    for (std::size_t q = 0; q < kQueries; ++q) within[q * tile.group_count + g] = 0;
    for (std::size_t row = 0; row < kHammingGroup; row += lanes) {
      const std::uint8_t* rows = tile.groups + g * tile.code_bytes * kHammingGroup + row;
      hn::Vec<decltype(words)> sums[kQueries][2];
      for (auto& sum : sums) sum[0] = sum[1] = hn::Zero(words);
      for (std::size_t begin = 0; begin < tile.code_bytes; begin += kMostBytes) {
        hn::Vec<decltype(d)> counts[kQueries];
        for (auto& count : counts) count = hn::Zero(d);
        for (std::size_t i = begin; i < std::min(tile.code_bytes, begin + kMostBytes); ++i) {
          const auto bytes = hn::LoadU(d, rows + i * kHammingGroup);
          const auto low = hn::And(bytes, low_half);
          const auto high = hn::And(hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(words, bytes))), low_half);
          for (std::size_t q = 0; q < kQueries; ++q) {
            const std::uint8_t* tables = tile.queries[q] + i * kHammingGroup;
            counts[q] = hn::Add(counts[q], hn::Add(hn::TableLookupBytes(hn::LoadDup128(d, tables), low),
                                                   hn::TableLookupBytes(hn::LoadDup128(d, tables + 16), high)));
          }
        }
        for (std::size_t q = 0; q < kQueries; ++q) {
          sums[q][0] = hn::Add(sums[q][0], hn::PromoteTo(words, hn::LowerHalf(half, counts[q])));
          sums[q][1] = hn::Add(sums[q][1], hn::PromoteTo(words, hn::UpperHalf(half, counts[q])));
        }
      }
      for (std::size_t q = 0; q < kQueries; ++q) {
        const std::size_t at = q * tile.group_count + g;
        const auto limit = hn::Set(words, tile.limits[q]);
        for (std::size_t part = 0; part < 2; ++part) {
          const auto sum = sums[q][part];
          const std::size_t first = row + part * half_lanes;
          hn::StoreU(sum, words, distances + at * kHammingGroup + first);
          std::uint8_t bits[8] = {};
          hn::StoreMaskBits(words, hn::Eq(hn::Min(sum, limit), sum), bits);
          std::uint32_t mask = 0;
          std::memcpy(&mask, bits, half_lanes / 8);
          within[at] |= mask << first;
        }
      }
    }
  }
}

#endif

void PrepareQuery(std::span<const std::uint8_t> code, std::uint8_t* prepared) {
#if CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX3
  if (has_avx512()) return avx512::prepare(code, prepared);
#endif
  Prepare(code, prepared);
}

void Distances(const HammingTile& tile, std::uint16_t* distances, std::uint32_t* within) {
  using Kernel = void (*)(const HammingTile&, std::uint16_t*, std::uint32_t*);
#if CBIR_HAVE_AVX512 && HWY_TARGET <= HWY_AVX3
  if (has_avx512()) {
    constexpr Kernel kBest[] = {avx512::distances<1>, avx512::distances<2>, avx512::distances<3>, avx512::distances<4>};
    return kBest[tile.query_count - 1](tile, distances, within);
  }
#endif
  constexpr Kernel kKernels[] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>};
  kKernels[tile.query_count - 1](tile, distances, within);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cbir
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cbir {
namespace {
CBIR_EXPORT(PrepareQuery);
CBIR_EXPORT(Distances);
}  // namespace

void prepare_hamming_query(std::span<const std::uint8_t> code, std::uint8_t* prepared) {
  CBIR_DISPATCH(PrepareQuery)(code, prepared);
}

void hamming_distances(const HammingTile& tile, std::uint16_t* distances, std::uint32_t* within) {
  CBIR_DISPATCH(Distances)(tile, distances, within);
}

}  // namespace cbir
#endif
