#pragma once
/// The nearest rows of every row, exactly.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <cbir/rerank/vectors.hpp>

namespace cbir {

/// Called after each block of rows, from one thread at a time.
using RowProgress = std::function<void(std::uint64_t done, std::uint64_t rows)>;

/// k neighbours of each row, best first; by inner product descending, then by row.
struct Neighbours {
  std::size_t k = 0;
  std::vector<std::uint32_t> rows;
  std::vector<float> scores;

  std::span<const std::uint32_t> rows_of(std::size_t i) const { return std::span(rows).subspan(i * k, k); }
  std::span<const float> scores_of(std::size_t i) const { return std::span(scores).subspan(i * k, k); }
};

/// The k rows of `database` nearest to each row of `queries`. `self`: the database row that a query is, which is no
/// neighbour of itself; nothing: none is. k is at most the number of rows that are left. Memory besides the result:
/// some MB a thread. The result does not depend on the number of threads.
Neighbours nearest_neighbours(const Vectors& queries, const Vectors& database, std::size_t k,
                              const std::function<std::size_t(std::size_t query)>& self = {},
                              const RowProgress& progress = {});

/// Of the rows of one collection, among one another.
Neighbours nearest_neighbours(const Vectors& vectors, std::size_t k, const RowProgress& progress = {});

}  // namespace cbir
