// Compiled once for each instruction set by foreach_target.h, which includes this file again and again; the best one is
// chosen at run time. Tiles of queries x rows are held in registers, rows come from the level 2 cache, a tile's queries
// stay in level 1.
//
// Where the hardware has no fused multiply-add (SSE4), products are rounded before they are added, and the last bits of
// scores differ from those of other instruction sets.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/index/scan.cpp"

#include "lib/base/kernels.hpp"  // before the rest

#include <hwy/cache_control.h>

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

void ScoreRows(Metric metric, std::span<const float> query, MatrixView<const float> rows,
               std::span<const std::uint32_t> which, float* scores) {
  for (std::size_t i = 0; i < which.size(); ++i) {
    const float* row = rows.row(which[i]).data();
    scores[i] = metric == Metric::l2 ? reference::negative_squared_distance(query.data(), row, rows.cols)
                                     : reference::inner_product(query.data(), row, rows.cols);
  }
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
// Rows that are scored against all queries before the next ones are fetched: they share level 2 with little else.
constexpr std::size_t kBlockBytes = 256 * 1024;

using D = hn::FixedTag<float, kLanes>;
using V = hn::Vec<D>;
using Quarter = hn::FixedTag<float, 4>;

struct Product {
  static HWY_INLINE V Add(V q, V r, V sum) { return hn::MulAdd(q, r, sum); }
  static HWY_INLINE hn::Vec<Quarter> Score(hn::Vec<Quarter> sum) { return sum; }
};

struct SquaredDistance {
  static HWY_INLINE V Add(V q, V r, V sum) {
    const V difference = hn::Sub(q, r);
    return hn::MulAdd(difference, difference, sum);
  }
  // 0 - sum rather than -sum: a distance of zero scores +0.
  static HWY_INLINE hn::Vec<Quarter> Score(hn::Vec<Quarter> sum) { return hn::Sub(hn::Zero(Quarter()), sum); }
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

// Four pairs' sums, folded to four each, are added as a tree side by side.
HWY_INLINE hn::Vec<Quarter> AddTrees(hn::Vec<Quarter> a, hn::Vec<Quarter> b, hn::Vec<Quarter> c, hn::Vec<Quarter> e) {
  const Quarter d;
  const auto ab = hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
  const auto ce = hn::Add(hn::ConcatLowerLower(d, e, c), hn::ConcatUpperUpper(d, e, c));
  return hn::Add(hn::ConcatEven(d, ce, ab), hn::ConcatOdd(d, ce, ab));
}

#if HWY_MAX_BYTES >= 64

HWY_INLINE hn::Vec<Quarter> Fold(V sums) {
  const hn::FixedTag<float, 8> half;
  const auto eight = hn::Add(hn::LowerHalf(half, sums), hn::UpperHalf(half, sums));
  return hn::Add(hn::LowerHalf(Quarter(), eight), hn::UpperHalf(Quarter(), eight));
}

// scores[q] gets the scores of the tile's query q against its four rows.
template <class Op, std::size_t kQueries>
HWY_INLINE void ScoreTile(const float* const* query, const float* const* row, std::size_t dim,
                          hn::Vec<Quarter> (&scores)[kQueries]) {
  V acc[kQueries][kTileRows];
  for (auto& of_query : acc)
    for (V& sum : of_query) sum = hn::Zero(D());
  AddTile<Op, kQueries>(query, row, 0, dim, acc);
  for (std::size_t q = 0; q < kQueries; ++q)
    scores[q] = Op::Score(AddTrees(Fold(acc[q][0]), Fold(acc[q][1]), Fold(acc[q][2]), Fold(acc[q][3])));
}

#else

// Vectors shorter than 16 floats go over the data in passes, each making kLanes of the 16 sums, by chunks that stay in
// the level 1 cache.
constexpr std::size_t kChunk = 256;

HWY_INLINE hn::Vec<Quarter> Fold(const float* sums) {
  const Quarter d;
  return hn::Add(hn::Add(hn::Load(d, sums), hn::Load(d, sums + 8)),
                 hn::Add(hn::Load(d, sums + 4), hn::Load(d, sums + 12)));
}

template <class Op, std::size_t kQueries>
HWY_INLINE void ScoreTile(const float* const* query, const float* const* row, std::size_t dim,
                          hn::Vec<Quarter> (&scores)[kQueries]) {
  const D d;
  alignas(64) float sums[kQueries][kTileRows][kSums] = {};
  for (std::size_t begin = 0; begin < dim; begin += kChunk) {
    for (std::size_t lane = 0; lane < kSums; lane += kLanes) {
      V acc[kQueries][kTileRows];
      for (std::size_t q = 0; q < kQueries; ++q)
        for (std::size_t r = 0; r < kTileRows; ++r) acc[q][r] = hn::Load(d, sums[q][r] + lane);
      AddTile<Op, kQueries>(query, row, begin + lane, std::min(dim, begin + kChunk), acc);
      for (std::size_t q = 0; q < kQueries; ++q)
        for (std::size_t r = 0; r < kTileRows; ++r) hn::Store(acc[q][r], d, sums[q][r] + lane);
    }
  }
  for (std::size_t q = 0; q < kQueries; ++q)
    scores[q] = Op::Score(AddTrees(Fold(sums[q][0]), Fold(sums[q][1]), Fold(sums[q][2]), Fold(sums[q][3])));
}

#endif

// Scores kQueries queries against rows [begin, end).
template <class Op, std::size_t kQueries>
void ScoreQueries(MatrixView<const float> queries, std::size_t first, MatrixView<const float> rows, std::size_t begin,
                  std::size_t end, MatrixView<float> out) {
  const Quarter d;
  const float* query[kQueries];
  for (std::size_t q = 0; q < kQueries; ++q) query[q] = queries.data + (first + q) * queries.stride;
  for (std::size_t r0 = begin; r0 < end; r0 += kTileRows) {
    const std::size_t count = std::min(kTileRows, end - r0);
    const float* row[kTileRows];  // a last tile with fewer rows scores its last row again
    for (std::size_t r = 0; r < kTileRows; ++r) row[r] = rows.data + (r0 + std::min(r, count - 1)) * rows.stride;
    hn::Vec<Quarter> scores[kQueries];
    ScoreTile<Op, kQueries>(query, row, rows.cols, scores);
    for (std::size_t q = 0; q < kQueries; ++q) {
      float* to = out.data + (first + q) * out.stride + r0;
      if (count == kTileRows) {
        hn::StoreU(scores[q], d, to);
      } else {
        alignas(16) float four[kTileRows];
        hn::Store(scores[q], d, four);
        std::copy_n(four, count, to);
      }
    }
  }
}

template <class Op>
void Scores(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  const std::size_t row_bytes = std::max<std::size_t>(1, rows.cols * sizeof(float));
  const std::size_t block = std::max<std::size_t>(1, kBlockBytes / row_bytes / kTileRows) * kTileRows;
  for (std::size_t begin = 0; begin < rows.rows; begin += block) {
    const std::size_t end = std::min(rows.rows, begin + block);
    std::size_t q = 0;
    for (; q + kTileQueries <= queries.rows; q += kTileQueries)
      ScoreQueries<Op, kTileQueries>(queries, q, rows, begin, end, out);
    for (; q + 2 <= queries.rows; q += 2) ScoreQueries<Op, 2>(queries, q, rows, begin, end, out);
    if (q < queries.rows) ScoreQueries<Op, 1>(queries, q, rows, begin, end, out);
  }
}

void InnerProducts(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  Scores<Product>(queries, rows, out);
}

void NegativeSquaredDistances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  Scores<SquaredDistance>(queries, rows, out);
}

// Rows that lie anywhere: the next tile's first lines are fetched while this one is scored; what follows in a row the
// hardware sees by itself.
template <class Op>
void ScoreGathered(std::span<const float> query, MatrixView<const float> rows, std::span<const std::uint32_t> which,
                   float* scores) {
  constexpr std::size_t kLineFloats = 16, kAhead = 2 * kTileRows;
  const std::size_t lines = std::min<std::size_t>(8, rows.cols / kLineFloats);
  const float* const queries[1] = {query.data()};
  for (std::size_t i = 0; i < which.size(); i += kTileRows) {
    for (std::size_t r = i + kAhead; r < std::min(which.size(), i + kAhead + kTileRows); ++r)
      for (std::size_t line = 0; line < lines; ++line)
        hwy::Prefetch(rows.data + which[r] * rows.stride + line * kLineFloats);
    const std::size_t count = std::min(kTileRows, which.size() - i);
    const float* row[kTileRows];
    for (std::size_t r = 0; r < kTileRows; ++r) row[r] = rows.data + which[i + std::min(r, count - 1)] * rows.stride;
    hn::Vec<Quarter> four[1];
    ScoreTile<Op, 1>(queries, row, rows.cols, four);
    alignas(16) float out[kTileRows];
    hn::Store(four[0], Quarter(), out);
    std::copy_n(out, count, scores + i);
  }
}

void ScoreRows(Metric metric, std::span<const float> query, MatrixView<const float> rows,
               std::span<const std::uint32_t> which, float* scores) {
  if (metric == Metric::l2) ScoreGathered<SquaredDistance>(query, rows, which, scores);
  else ScoreGathered<Product>(query, rows, which, scores);
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
CBIR_EXPORT(InnerProducts);
CBIR_EXPORT(NegativeSquaredDistances);
CBIR_EXPORT(ScoreRows);
CBIR_EXPORT(FirstAtLeast);
CBIR_EXPORT(Target);
}  // namespace

void inner_products(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  CBIR_DISPATCH(InnerProducts)(queries, rows, out);
}

void negative_squared_distances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  CBIR_DISPATCH(NegativeSquaredDistances)(queries, rows, out);
}

void score_rows(Metric metric, std::span<const float> query, MatrixView<const float> rows,
                std::span<const std::uint32_t> which, float* scores) {
  CBIR_DISPATCH(ScoreRows)(metric, query, rows, which, scores);
}

std::size_t first_at_least(const float* scores, std::size_t begin, std::size_t count, float threshold) {
  return CBIR_DISPATCH(FirstAtLeast)(scores, begin, count, threshold);
}

std::string scan_target() { return CBIR_DISPATCH(Target)(); }

}  // namespace cbir
#endif
