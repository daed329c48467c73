#pragma once
/// Exact scoring of vectors, with SIMD chosen at run time (Highway). One summation order for every instruction set with
/// fused multiply-add: sixteen partial sums, element i into sum i mod 16, then added as a tree (8, 4, 2, 1). So a score
/// does not depend on how rows and queries are blocked.

#include <cstddef>
#include <string>

#include <cbir/base/matrix.hpp>

namespace cbir {

/// Vectors for the kernels are padded with zeros to a multiple of this many floats.
inline constexpr std::size_t kVectorPadding = 16;

inline std::size_t padded_dim(std::size_t dim) { return (dim + kVectorPadding - 1) / kVectorPadding * kVectorPadding; }

/// out(q, r) = inner product of queries.row(q) and rows.row(r). cols must be equal and a multiple of kVectorPadding.
void inner_products(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out);

/// out(q, r) = minus the squared Euclidean distance, summed in the same order.
void negative_squared_distances(MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out);

/// The instruction set in use ("AVX3_ZEN4", "AVX2", "SSE4").
std::string scan_target();

}  // namespace cbir
