#include "lib/index/masked_scan.hpp"

#include <algorithm>
#include <bit>

#include <cbir/base/parallel.hpp>

#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRows = 64;  // scored by all queries of a task while they are in the cache

std::vector<std::uint32_t> passing_rows(const RowMask& mask, std::size_t size) {
  std::vector<std::uint32_t> out;
  out.reserve(mask.passing);
  for (std::size_t word = 0; word * 64 < size; ++word)
    for (std::uint64_t bits = mask.words[word]; bits != 0; bits &= bits - 1) {
      const std::size_t row = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
      if (row < size) out.push_back(static_cast<std::uint32_t>(row));
    }
  return out;
}

}  // namespace

void scan_passing(const Segment& segment, Metric metric, MatrixView<const float> queries, const RowMask& mask,
                  std::span<TopK> best, SearchCounts& counts) {
  const std::vector<std::uint32_t> rows = passing_rows(mask, segment.size());
  const std::size_t share = (queries.rows + worker_threads() - 1) / worker_threads();
  parallel_blocks(queries.rows, std::clamp<std::size_t>(share, 1, 64), [&](std::size_t begin, std::size_t end) {
    float scores[kRows];
    for (std::size_t first = 0; first < rows.size(); first += kRows) {
      const std::span<const std::uint32_t> which = std::span(rows).subspan(first, std::min(kRows, rows.size() - first));
      for (std::size_t q = begin; q < end; ++q) {
        score_rows(metric, queries.row(q), segment.vectors, which, scores);
        for (std::size_t i = 0; i < which.size(); ++i)
          best[q].offer(&scores[i], 1, segment.first_position + which[i]);  // which deals with NaN
      }
    }
  });
  counts.scored += rows.size() * queries.rows;
}

}  // namespace cbir
