#pragma once
/// The mean of an index's first rows, about which codes are made: a section of segment 0.

#include <span>
#include <vector>

#include <cbir/base/matrix.hpp>

#include "lib/index/container.hpp"

namespace cbir {

/// The mean row, as many numbers as a row has; the same with any number of threads.
std::vector<float> mean_of(MatrixView<const float> rows);

/// The mean that an index holds, padded_dim(dim) numbers. Throws DamagedFile.
std::span<const float> read_mean(const Container& container, std::size_t dim);

}  // namespace cbir
