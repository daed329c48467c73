#include "lib/index/plain_scan.hpp"

#include <algorithm>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

#include <cbir/base/workspaces.hpp>

namespace cbir {
namespace {

constexpr std::size_t kCacheBytes = 256 * 1024;  // rows, or scores, that are worked on at a time
constexpr std::size_t kTaskBytes = 2 << 20;      // of rows that a thread takes at a time
constexpr std::size_t kTile = 4;                 // the kernels' multiple of rows

/// What one thread needs: collectors, one a query, and room for scores.
struct Scratch {
  std::vector<TopK> best;
  std::vector<float> scores;
};

}  // namespace

void score_all_pairs(Metric metric, MatrixView<const float> queries, MatrixView<const float> rows,
                     MatrixView<float> scores) {
  if (metric == Metric::l2) negative_squared_distances(queries, rows, scores);
  else inner_products(queries, rows, scores);
}

/// The k best of a set do not depend on how it is divided, so neither do results on who worked where.
void PlainScan::search(MatrixView<const float> queries, const SearchEffort& /*effort*/, const RowMask& mask,
                       std::span<TopK> best, SearchCounts& counts) const {
  const std::size_t size = segment_.size(), row_bytes = segment_.vectors.stride * sizeof(float);
  // As many rows at a time as stay in the cache, and their scores too.
  const std::size_t rows =
      std::max(kTile, std::min(kCacheBytes / row_bytes, kCacheBytes / (queries.rows * sizeof(float))) / kTile * kTile);
  const std::size_t task = std::max(kTile, kTaskBytes / row_bytes);
  WorkspacePool<Scratch> pool([&] {
    std::vector<TopK> own;
    for (const TopK& collector : best) own.emplace_back(collector.capacity());
    return std::make_unique<Scratch>(Scratch{std::move(own), std::vector<float>(queries.rows * rows)});
  });
  parallel_blocks(size, task, [&](std::size_t first, std::size_t last) {
    pool.with([&](Scratch& scratch) {
      for (std::size_t begin = first; begin < last; begin += rows) {
        const std::size_t end = std::min(last, begin + rows);
        const MatrixView<float> scores(scratch.scores.data(), queries.rows, end - begin);
        score_all_pairs(metric_, queries, slice(segment_.vectors, begin, end), scores);
        for (std::size_t q = 0; q < queries.rows; ++q)
          scratch.best[q].offer(scores.row(q).data(), end - begin, segment_.first_position + begin, mask, begin);
      }
    });
  });
  for (const auto& scratch : pool.all())
    for (std::size_t q = 0; q < queries.rows; ++q)
      for (const Hit& hit : scratch->best[q].hits()) best[q].offer(hit);
  counts.scored += size * queries.rows;
}

}  // namespace cbir
