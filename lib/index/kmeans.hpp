#pragma once
/// k-means (Lloyd's algorithm) over a sample of the rows: what divides an index into lists.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

struct KMeansOptions {
  std::size_t clusters = 1;
  std::size_t rounds = 10;
  std::size_t sample = 64;  ///< rows that are looked at, for each cluster
  std::uint64_t seed = 1;
};

/// `count` different numbers below `total`, ascending; all of them if there are no more.
std::vector<std::uint32_t> sample_rows(std::size_t total, std::size_t count, std::uint64_t seed);

/// clusters x rows.cols floats. Rows are padded with zeros to a multiple of 16 floats. A cluster that gets no rows
/// takes half of the largest one. The same with any number of threads.
std::vector<float> train_kmeans(MatrixView<const float> rows, const KMeansOptions& options);

/// nearest[i] = the centroid with the smallest Euclidean distance to rows.row(i), the lowest of several.
void assign_nearest(MatrixView<const float> rows, MatrixView<const float> centroids, std::span<std::uint32_t> nearest);

}  // namespace cbir
