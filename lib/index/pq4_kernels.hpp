#pragma once
/// Kernels over 4-bit codes of product quantisation (Jégou, Douze, Schmid: Product quantization for nearest neighbor
/// search, 2011), which look a code up in a table of 16 bytes by a byte shuffle (André, Kermarrec, Le Scouarnec: Cache
/// locality is not enough, 2015). Every instruction set gives the numbers of pq4_reference.hpp.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "lib/index/reservoir.hpp"
#include "lib/index/row_mask.hpp"

namespace cbir {

namespace pq4 {
inline constexpr std::size_t kCentroids = 16;  ///< of a sub-quantiser: what four bits name
inline constexpr std::size_t kBlockRows = 32;
inline constexpr std::size_t kLine = 64;  ///< bytes: the codes of a block's rows by four sub-quantisers

inline constexpr std::size_t lines(std::size_t sub_quantizers) { return (sub_quantizers + 3) / 4; }
/// A block is one line of factors, an unsigned 16-bit number below 2^15 a row, then the lines of codes: byte i of the
/// 16 bytes of a sub-quantiser holds row i's code in its low bits, and row i + 16's in its high bits.
inline constexpr std::size_t block_bytes(std::size_t sub_quantizers) { return kLine * (1 + lines(sub_quantizers)); }
}  // namespace pq4

/// What one query wants of a scan.
struct Pq4Scan {
  const std::uint8_t* tables = nullptr;  ///< 16 bytes a sub-quantiser, of lines() * 4 of them
  std::uint16_t factor_scale = 0;        ///< below 2^15; times factor / 2^15 is what a row's factor counts
  std::int32_t bias = 0;                 ///< of every score, from -2^30 to 2^30
  Reservoir* out = nullptr;
};

/// Which rows of a scan may be returned: position p is the row rows[p] of the mask. And what is added to the positions
/// in a reservoir.
struct Pq4Filter {
  const RowMask* mask = nullptr;  ///< none: all
  const std::uint32_t* rows = nullptr;
  std::uint32_t base = 0;

  bool passes(std::size_t position) const { return mask == nullptr || (*mask)[rows[position]]; }
};

/// Scores the positions [begin, end) of the blocks for each scan, and adds those that reach its reservoir's threshold.
/// A score is bias + round(factor * factor_scale / 2^15) + the sum of the table's entries; all but the bias fits into
/// 16 bits.
void pq4_scan(const std::uint8_t* blocks, std::size_t lines, std::size_t begin, std::size_t end,
              std::span<const Pq4Scan> scans, const Pq4Filter& filter);

/// tables[s * 16 + c] = inner product of the vector's part s, `dims` numbers, with centroid c of sub-quantiser s.
/// Codebooks: sub-quantiser, dimension, centroid.
void pq4_inner_products(const float* vector, const float* codebooks, std::size_t sub_quantizers, std::size_t dims,
                        float* tables);

/// The smallest and the largest number of each table, of 16.
void pq4_ranges(const float* tables, std::size_t sub_quantizers, float* smallest, float* largest);

/// bytes[s * 16 + c] = (tables[s * 16 + c] - smallest[s]) * scale, rounded, within 0 and 255.
void pq4_quantize(const float* tables, std::size_t sub_quantizers, const float* smallest, float scale,
                  std::uint8_t* bytes);

/// codes[s] = the c with the largest tables[s * 16 + c] - offsets[s * 16 + c], the lowest of several.
void pq4_best(const float* tables, const float* offsets, std::size_t sub_quantizers, std::uint8_t* codes);

struct Best {
  float value = -std::numeric_limits<float>::infinity();
  std::uint32_t index = 0;
};

/// `best` becomes the largest of itself and values[i] - offsets[i], whose index is first + i; the first of several.
void best_difference(const float* values, const float* offsets, std::size_t count, std::size_t first, Best& best);

/// The instruction set in use.
std::string pq4_target();

}  // namespace cbir
