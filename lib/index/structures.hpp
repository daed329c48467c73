#pragma once
/// The types of index that there are.

#include <memory>

#include "lib/index/structure.hpp"

namespace cbir {

/// The builder for a new index of meta.type over so many rows; adds the structure's parameters to `meta`. Throws
/// UsageError for an unknown type, or options that do not fit.
std::unique_ptr<StructureBuilder> make_builder(IndexMeta& meta, const StructureOptions& options, std::uint64_t rows);

/// The builder for further segments of an index: what its segments share is in the container.
std::unique_ptr<StructureBuilder> open_builder(const Container& container, const IndexMeta& meta);

/// The structure over a segment. Throws DamagedFile if its sections are not there or could make a search read outside
/// of them.
std::unique_ptr<Structure> open_structure(const Container& container, const IndexMeta& meta, const Segment& segment);

}  // namespace cbir
