#pragma once
/// An index opened: its file, what it says of itself, and its segments, all checked.

#include <string>
#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/meta.hpp"
#include "lib/index/segment.hpp"

namespace cbir {

struct OpenedIndex {
  Container container;
  IndexMeta meta;
  IndexInfo info;
  std::vector<Segment> segments;

  /// Takes the container over. Throws DamagedFile, Incompatible.
  explicit OpenedIndex(Container&& file);

  /// The row's description; `row` counts in the segment. Throws DamagedFile.
  RowInfo parse(const Segment& segment, std::size_t row) const;
};

}  // namespace cbir
