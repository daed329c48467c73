#pragma once
/// One segment of an index as it lies in the mapped file: vectors, ids and rows.

#include <cstdint>
#include <span>
#include <string_view>

#include <cbir/base/matrix.hpp>

#include "lib/index/container.hpp"

namespace cbir {

struct Segment {
  std::uint32_t number = 0;          ///< in the table of sections
  std::uint64_t first_position = 0;  ///< of its first row among all rows of the file, removed ones included
  MatrixView<const float> vectors;   ///< rows x padded_dim(dim)
  std::span<const std::uint64_t> ids;
  std::span<const std::uint64_t> row_offsets;   ///< one more than rows
  std::span<const std::uint64_t> path_hashes;   ///< xxh3_64 of each row's path
  std::span<const std::uint64_t> label_hashes;  ///< xxh3_64 of each row's label, 0: it has none; empty in version 1.0
  std::span<const std::uint64_t> removed;       ///< a bit a row; empty if none is removed
  std::string_view rows;                        ///< JSON lines

  std::size_t size() const noexcept { return ids.size(); }
  std::string_view line(std::size_t row) const;  ///< without the newline
};

/// All segments, checked so that every access by a row below size() stays inside the file, and ids ascend.
/// Throws DamagedFile.
std::vector<Segment> read_segments(const Container& container, std::size_t dim);

}  // namespace cbir
