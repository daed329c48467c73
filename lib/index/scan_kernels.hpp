#pragma once
/// Kernels of the scan that only the index itself uses.

#include <cstddef>
#include <cstdint>
#include <span>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

namespace cbir {

/// The first i in [begin, count) with scores[i] >= threshold; count if there is none. NaN is never found.
std::size_t first_at_least(const float* scores, std::size_t begin, std::size_t count, float threshold);

/// scores[i] = score of the query and rows.row(which[i]): the same bits as inner_products or, under l2,
/// negative_squared_distances give. The query is padded as the rows are; memory that will be read is prefetched.
void score_rows(Metric metric, std::span<const float> query, MatrixView<const float> rows,
                std::span<const std::uint32_t> which, float* scores);

}  // namespace cbir
