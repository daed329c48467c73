// Compiled once for each instruction set by foreach_target.h, which includes this file again and again; the best one is
// chosen at run time. Tiles of queries x rows are held in registers, rows come from the level 2 cache, a tile's queries
// stay in level 1.
//
// Where the hardware has no fused multiply-add (SSE4), products are rounded before they are added, and the last bits of
// scores differ from those of other instruction sets.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/scan.cpp"

// Not worth their code size here: no gain over their neighbours, or vectors of unknown size, which cannot form tiles.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cbir/index/scan.hpp>

#include "lib/index/scan_kernels.hpp"
#include "lib/index/scan_reference.hpp"

HWY_BEFORE_NAMESPACE();
namespace cbir {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

void InnerProducts(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  for (std::size_t q = 0; q < queries.rows; ++q)
    for (std::size_t r = 0; r < rows.rows; ++r)
      out.row(q)[r] = reference::inner_product(queries.row(q).data(), rows.row(r).data(), rows.cols);
}

void NegativeSquaredDistances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  for (std::size_t q = 0; q < queries.rows; ++q)
    for (std::size_t r = 0; r < rows.rows; ++r)
      out.row(q)[r] = reference::negative_squared_distance(queries.row(q).data(), rows.row(r).data(), rows.cols);
}

std::size_t FirstAtLeast(const float* scores, std::size_t begin, std::size_t count, float threshold) {
  while (begin < count && !(scores[begin] >= threshold)) ++begin;
  return begin;
}

#else

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kSums = kVectorPadding;
constexpr std::size_t kLanes = std::min<std::size_t>(kSums, HWY_MAX_BYTES / sizeof(float));
// Accumulators, one register each, plus operands fill the register file: 32 registers or 16.
constexpr std::size_t kTileRows = 4;
constexpr std::size_t kTileQueries = kLanes == kSums || HWY_ARCH_ARM_A64 ? 6 : 3;
// Elements of a vector that are worked on at a time: those of a tile's queries and two tiles' rows share level 1 (32 or
// 48 KiB).
constexpr std::size_t kChunk = kLanes == kSums ? 640 : 256;
// Rows that are scored against all queries before the next ones are fetched: as many as share level 2 with little else,
// but if tiles wait for the next chunk, their sums must stay in level 1.
constexpr std::size_t kBlockBytes = 128 * 1024;
constexpr std::size_t kMaxTiles = 10;

using D = hn::FixedTag<float, kLanes>;
using V = hn::Vec<D>;
using Quarter = hn::FixedTag<float, 4>;
using Four = hn::Vec<Quarter>;

struct Product {
  static HWY_INLINE V Add(V q, V r, V sum) { return hn::MulAdd(q, r, sum); }
  static HWY_INLINE Four Score(Four sum) { return sum; }
};

struct SquaredDistance {
  static HWY_INLINE V Add(V q, V r, V sum) {
    const V difference = hn::Sub(q, r);
    return hn::MulAdd(difference, difference, sum);
  }
  // 0 - sum rather than -sum: a distance of zero scores +0.
  static HWY_INLINE Four Score(Four sum) { return hn::Sub(hn::Zero(Quarter()), sum); }
};

// acc[q][r] += elements begin, begin + 16, ... of every pair of the tile, and their kLanes - 1 successors.
template <class Op, std::size_t kQueries>
HWY_INLINE void AddTile(const float* const* queries, const float* const* rows, std::size_t begin, std::size_t end,
                        V (&acc)[kQueries][kTileRows]) {
  const D d;
  for (std::size_t i = begin; i < end; i += kSums) {
    V row[kTileRows];
    for (std::size_t r = 0; r < kTileRows; ++r) row[r] = hn::LoadU(d, rows[r] + i);
    for (std::size_t q = 0; q < kQueries; ++q) {
      const V query = hn::LoadU(d, queries[q] + i);
      for (std::size_t r = 0; r < kTileRows; ++r) acc[q][r] = Op::Add(query, row[r], acc[q][r]);
    }
  }
}

// The sums of a tile, 16 a pair, where they wait for the next chunk of the vectors.
template <std::size_t kQueries>
struct TileSums {
  alignas(64) float pair[kQueries][kTileRows][kSums];
};

// Adds elements [begin, end) to the sums; vectors shorter than 16 floats make kLanes sums in each of several passes.
template <class Op, std::size_t kQueries>
HWY_INLINE void AddChunk(const float* const* queries, const float* const* rows, std::size_t begin, std::size_t end,
                         TileSums<kQueries>& sums) {
  const D d;
  for (std::size_t lane = 0; lane < kSums; lane += kLanes) {
    V acc[kQueries][kTileRows];
    for (std::size_t q = 0; q < kQueries; ++q)
      for (std::size_t r = 0; r < kTileRows; ++r)
        acc[q][r] = begin == 0 ? hn::Zero(d) : hn::Load(d, sums.pair[q][r] + lane);
    AddTile<Op, kQueries>(queries, rows, begin + lane, end, acc);
    for (std::size_t q = 0; q < kQueries; ++q)
      for (std::size_t r = 0; r < kTileRows; ++r) hn::Store(acc[q][r], d, sums.pair[q][r] + lane);
  }
}

// The first two steps of the tree: sums 8 apart, then 4 apart.
HWY_INLINE Four Fold(const float* sums) {
  const Quarter d;
  return hn::Add(hn::Add(hn::Load(d, sums), hn::Load(d, sums + 8)),
                 hn::Add(hn::Load(d, sums + 4), hn::Load(d, sums + 12)));
}

// The other two, of four pairs side by side.
HWY_INLINE Four AddTrees(Four a, Four b, Four c, Four e) {
  const Quarter d;
  const Four ab = hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
  const Four ce = hn::Add(hn::ConcatLowerLower(d, e, c), hn::ConcatUpperUpper(d, e, c));
  return hn::Add(hn::ConcatEven(d, ce, ab), hn::ConcatOdd(d, ce, ab));
}

HWY_INLINE void StoreScores(Four scores, std::size_t count, float* out) {
  if (count == kTileRows) {
    hn::StoreU(scores, Quarter(), out);
  } else {
    alignas(16) float all[kTileRows];
    hn::Store(scores, Quarter(), all);
    std::copy_n(all, count, out);
  }
}

#if HWY_MAX_BYTES >= 64

HWY_INLINE Four Fold(V sums) {
  const hn::FixedTag<float, 8> half;
  const auto eight = hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums));
  return hn::Add(hn::LowerHalf(Quarter(), eight), hn::UpperHalf(Quarter(), eight));
}

// Vectors of one chunk whose 16 sums fit one register: they never leave it.
template <class Op, std::size_t kQueries>
HWY_INLINE void ScoreTile(const float* const* query, const float* const* row, std::size_t dim, std::size_t count,
                          float* out, std::size_t stride) {
  V acc[kQueries][kTileRows];
  for (auto& of_query : acc)
    for (V& sum : of_query) sum = hn::Zero(D());
  AddTile<Op, kQueries>(query, row, 0, dim, acc);
  for (std::size_t q = 0; q < kQueries; ++q) {
    const Four trees = AddTrees(Fold(acc[q][0]), Fold(acc[q][1]), Fold(acc[q][2]), Fold(acc[q][3]));
    StoreScores(Op::Score(trees), count, out + q * stride);
  }
}

#endif

// Row pointers of a tile; a last tile with fewer rows scores its last row again.
struct TileOfRows {
  TileOfRows(MatrixView<const float> rows, std::size_t first) : count(std::min(kTileRows, rows.rows - first)) {
    for (std::size_t r = 0; r < kTileRows; ++r) row[r] = rows.data + (first + std::min(r, count - 1)) * rows.stride;
  }
  std::size_t count;
  const float* row[kTileRows];
};

// Scores kQueries queries against one block of rows. Chunk by chunk, so that the chunks of a tile's queries stay in
// level 1 while the rows pass by.
template <class Op, std::size_t kQueries>
void ScoreBlock(const float* const* query, MatrixView<const float> rows, float* out, std::size_t stride) {
  const std::size_t dim = rows.cols;
#if HWY_MAX_BYTES >= 64
  if (dim <= kChunk) {
    for (std::size_t first = 0; first < rows.rows; first += kTileRows) {
      const TileOfRows tile(rows, first);
      ScoreTile<Op, kQueries>(query, tile.row, dim, tile.count, out + first, stride);
    }
    return;
  }
#endif
  TileSums<kQueries> sums[kMaxTiles];
  const std::size_t chunks = std::max<std::size_t>(1, (dim + kChunk - 1) / kChunk);
  const std::size_t step = (dim / kSums + chunks - 1) / chunks * kSums;
  std::size_t begin = 0;
  do {  // once for vectors without elements too: it clears the sums
    for (std::size_t first = 0; first < rows.rows; first += kTileRows)
      AddChunk<Op, kQueries>(query, TileOfRows(rows, first).row, begin, std::min(dim, begin + step),
                             sums[first / kTileRows]);
    begin += step;
  } while (begin < dim);
  for (std::size_t first = 0; first < rows.rows; first += kTileRows) {
    for (std::size_t q = 0; q < kQueries; ++q) {
      const auto& pair = sums[first / kTileRows].pair[q];
      StoreScores(Op::Score(AddTrees(Fold(pair[0]), Fold(pair[1]), Fold(pair[2]), Fold(pair[3]))),
                  std::min(kTileRows, rows.rows - first), out + q * stride + first);
    }
  }
}

template <class Op, std::size_t kQueries>
void ScoreQueries(MatrixView<const float> queries, std::size_t first, MatrixView<const float> rows, float* out,
                  std::size_t stride) {
  const float* query[kQueries];
  for (std::size_t q = 0; q < kQueries; ++q) query[q] = queries.data + (first + q) * queries.stride;
  ScoreBlock<Op, kQueries>(query, rows, out + first * stride, stride);
}

template <class Op>
void Scores(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  const bool waits = kLanes < kSums || rows.cols > kChunk;
  const std::size_t tiles = kBlockBytes / sizeof(float) / kTileRows / std::max(kSums, rows.cols);
  const std::size_t step = (waits ? kMaxTiles : tiles) * kTileRows;
  for (std::size_t begin = 0; begin < rows.rows; begin += step) {
    const std::size_t count = std::min(step, rows.rows - begin);
    const MatrixView<const float> block(rows.data + begin * rows.stride, count, rows.cols, rows.stride);
    float* to = out.data + begin;
    std::size_t q = 0;
    for (; q + kTileQueries <= queries.rows; q += kTileQueries)
      ScoreQueries<Op, kTileQueries>(queries, q, block, to, out.stride);
    for (; q + 2 <= queries.rows; q += 2) ScoreQueries<Op, 2>(queries, q, block, to, out.stride);
    if (q < queries.rows) ScoreQueries<Op, 1>(queries, q, block, to, out.stride);
  }
}

void InnerProducts(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  Scores<Product>(queries, rows, out);
}

void NegativeSquaredDistances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  Scores<SquaredDistance>(queries, rows, out);
}

std::size_t FirstAtLeast(const float* scores, std::size_t begin, std::size_t count, float threshold) {
  const D d;
  const V limit = hn::Set(d, threshold);
  for (; begin + kLanes <= count; begin += kLanes) {
    const auto found = hn::FindFirstTrue(d, hn::Ge(hn::LoadU(d, scores + begin), limit));
    if (found >= 0) return begin + static_cast<std::size_t>(found);
  }
  while (begin < count && !(scores[begin] >= threshold)) ++begin;
  return begin;
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
HWY_EXPORT(InnerProducts);
HWY_EXPORT(NegativeSquaredDistances);
HWY_EXPORT(FirstAtLeast);
HWY_EXPORT(Target);
}  // namespace

void inner_products(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  HWY_DYNAMIC_DISPATCH(InnerProducts)(queries, rows, out);
}

void negative_squared_distances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  HWY_DYNAMIC_DISPATCH(NegativeSquaredDistances)(queries, rows, out);
}

std::size_t first_at_least(const float* scores, std::size_t begin, std::size_t count, float threshold) {
  return HWY_DYNAMIC_DISPATCH(FirstAtLeast)(scores, begin, count, threshold);
}

std::string scan_target() { return HWY_DYNAMIC_DISPATCH(Target)(); }

}  // namespace cbir
#endif
