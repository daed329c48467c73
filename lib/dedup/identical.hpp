#pragma once
/// Rows whose vectors are the same.

#include <cstdint>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

/// For each row the first row with the same numbers in it, bit by bit.
std::vector<std::uint32_t> first_of_same(MatrixView<const float> rows);

}  // namespace cbir
