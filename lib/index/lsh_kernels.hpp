#pragma once
/// Hamming distances of codes, with SIMD chosen at run time.
///
/// Codes lie in groups of kHammingGroup rows: the first byte of each row's code, then the second of each, and so on.

#include <cstddef>
#include <cstdint>
#include <span>

namespace cbir {

inline constexpr std::size_t kHammingGroup = 32;
inline constexpr std::size_t kHammingQueries = 4;  ///< that share the loads of codes, at most

/// A code as the kernel wants it, on this processor: code.size() * kHammingGroup bytes. Codes are of a multiple of 8
/// bytes.
void prepare_hamming_query(std::span<const std::uint8_t> code, std::uint8_t* prepared);

/// Some groups of codes and the queries that they are compared with.
struct HammingTile {
  const std::uint8_t* groups = nullptr;
  std::size_t group_count = 0;
  std::size_t code_bytes = 0;
  std::size_t query_count = 0;                        ///< 1 to kHammingQueries
  const std::uint8_t* queries[kHammingQueries] = {};  ///< prepared
  std::uint16_t limits[kHammingQueries] = {};
};

/// distances[(q * group_count + g) * kHammingGroup + i] is that of query q and row i of group g; bit i of
/// within[q * group_count + g] says whether it is at most the query's limit.
void hamming_distances(const HammingTile& tile, std::uint16_t* distances, std::uint32_t* within);

}  // namespace cbir
