#pragma once
/// A view of rows of vectors in memory. No ownership.

#include <cstddef>
#include <span>

namespace cbir {

template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  ///< elements from one row to the next, at least cols

  MatrixView() = default;
  MatrixView(T* first, std::size_t row_count, std::size_t col_count)
      : MatrixView(first, row_count, col_count, col_count) {}
  MatrixView(T* first, std::size_t row_count, std::size_t col_count, std::size_t row_stride)
      : data(first), rows(row_count), cols(col_count), stride(row_stride) {}

  std::span<T> row(std::size_t i) const { return {data + i * stride, cols}; }
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }
};

}  // namespace cbir
