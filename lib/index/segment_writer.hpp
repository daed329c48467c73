#pragma once
/// Writes what every segment has, whatever the type of the index: vectors, ids, rows and the hashes that find them.

#include <cstdint>
#include <span>

#include "lib/index/container.hpp"
#include "lib/index/row_source.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

/// Writes a segment of rows with ids that ascend. Memory: 32 bytes a row besides the ids, and some megabytes.
void write_rows(SectionWriter& writer, std::uint32_t segment, const RowSource& rows,
                std::span<const std::uint64_t> ids);

/// The vectors of a segment that was written, as they will be searched. `written` must outlive the view.
MatrixView<const float> segment_vectors(const Container& written, std::uint32_t segment, std::size_t dim);

/// Writes the description, which a container has once.
void write_meta(SectionWriter& writer, const IndexMeta& meta);

}  // namespace cbir
