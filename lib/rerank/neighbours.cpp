#include <cbir/rerank/neighbours.hpp>

#include <algorithm>
#include <limits>
#include <mutex>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

#include "best.hpp"

namespace cbir {
namespace {

constexpr std::size_t kQueries = 96;  // scored together: with them rows are read from memory that much less often
constexpr std::size_t kRows = 2048;   // whose scores are looked at while they are in the cache

constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();

void search(const Vectors& queries, std::size_t begin, std::size_t end, const Vectors& database,
            const std::function<std::size_t(std::size_t)>& self, Neighbours& out) {
  std::vector<BestRows> best(end - begin, BestRows(out.k));
  std::vector<float> scores((end - begin) * kRows);
  for (std::size_t first = 0; first < database.rows(); first += kRows) {
    const std::size_t count = std::min(kRows, database.rows() - first);
    inner_products(queries.padded(begin, end - begin), database.padded(first, count),
                   MatrixView<float>(scores.data(), end - begin, count));
    for (std::size_t q = begin; q < end; ++q) {
      const float* of_query = scores.data() + (q - begin) * count;
      BestRows& kept = best[q - begin];
      const std::size_t own = self ? self(q) : kNobody;
      for (std::size_t r = 0; r < count; ++r)
        if (of_query[r] > kept.threshold() && first + r != own)
          kept.offer(of_query[r], static_cast<std::uint32_t>(first + r));
    }
  }
  for (std::size_t q = begin; q < end; ++q) {
    const std::vector<ScoredRow> found = best[q - begin].take();
    for (std::size_t n = 0; n < found.size(); ++n) {
      out.rows[q * out.k + n] = found[n].row;
      out.scores[q * out.k + n] = found[n].score;
    }
  }
}

}  // namespace

Neighbours nearest_neighbours(const Vectors& queries, const Vectors& database, std::size_t k,
                              const std::function<std::size_t(std::size_t)>& self, const RowProgress& progress) {
  Neighbours out;
  out.k = std::min(k, database.rows() - (self ? 1 : 0));
  out.rows.resize(queries.rows() * out.k);
  out.scores.resize(out.rows.size());
  if (out.k == 0) return out;
  std::mutex mutex;
  std::uint64_t done = 0;
  parallel_blocks(queries.rows(), kQueries, [&](std::size_t begin, std::size_t end) {
    search(queries, begin, end, database, self, out);
    if (!progress) return;
    const std::lock_guard lock(mutex);
    progress(done += end - begin, queries.rows());
  });
  return out;
}

Neighbours nearest_neighbours(const Vectors& vectors, std::size_t k, const RowProgress& progress) {
  return nearest_neighbours(
      vectors, vectors, k, [](std::size_t query) { return query; }, progress);
}

}  // namespace cbir
