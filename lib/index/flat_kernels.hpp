#pragma once
/// Comparing int8 codes of rows with int8 codes of queries: which rows could reach a query's threshold. What is
/// computed, and why no row is missed, is in flat.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cbir {

inline constexpr std::size_t kPanelRows = 32;   ///< rows that lie interleaved
inline constexpr std::size_t kCodeGroup = 4;    ///< codes of a row that lie together
inline constexpr std::size_t kTileQueries = 8;  ///< queries that lie interleaved
inline constexpr int kCodeOffset = 128;         ///< rows' codes are stored as code + 128, from 1 to 255
/// Sums of products stay below 2^31 up to this dimension.
inline constexpr std::size_t kMaxCodeDim = 65536;

/// Factors of the rows of a panel, kPanelRows floats of each kind in this order.
enum class RowFactor : std::size_t {
  scale,     ///< the row is about scale * codes
  residual,  ///< at least the norm of row - scale * codes
  length,    ///< at least the norm of scale * codes
  square,    ///< under l2 only: at most the row's squared norm
};

/// The rows of a segment in panels of kPanelRows; rows that the last one lacks are codes of zero.
struct CodePanels {
  const std::uint8_t* codes = nullptr;  ///< [panel][dim / kCodeGroup][kPanelRows][kCodeGroup]
  const float* factors = nullptr;       ///< [panel][factor_kinds][kPanelRows]
  std::size_t dim = 0;                  ///< a multiple of 16
  std::size_t factor_kinds = 3;         ///< 4 under l2
};

/// A batch of queries in tiles of kTileQueries. A row passes for a query if
///   slope * (scale * <codes, codes>) + (width * (doubt * length + residual) + square_weight * square) >= threshold,
/// in float32, with fused multiply-add where the instruction set has it.
struct CodeQueries {
  explicit CodeQueries(std::size_t query_count, std::size_t dim);

  std::size_t count, groups;
  std::vector<std::int32_t> codes;  ///< [tile][group][kTileQueries], each kCodeGroup codes
  std::vector<std::int32_t> start;  ///< -kCodeOffset * sum of codes
  std::vector<float> slope, width, threshold;
  std::vector<float> doubt;  ///< one a tile
  float square_weight = 0;

  /// Sets the codes of one query, and what follows from them.
  void set_codes(std::size_t query, std::span<const std::int8_t> vector);
};

/// The rows of a panel that pass for a query: bit i is row panel * kPanelRows + i.
struct Passing {
  std::uint32_t query = 0, panel = 0, rows = 0;
};

/// Appends what passes of these panels.
void find_passing(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                  std::vector<Passing>& out);

/// Whether this instruction set has a fast kernel; find_passing works all the same.
bool has_code_kernel();

/// The largest code that this query may have, so that no sum overflows on this instruction set; at least 31.
int largest_query_code(std::span<const float> query);

/// The instruction set in use ("AVX3_DL", "AVX2", "SSE4").
std::string code_target();

}  // namespace cbir
