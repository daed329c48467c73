#pragma once
/// An index opened: its file, what it says of itself, and its segments, all checked.

#include <string>
#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/live_rows.hpp"
#include "lib/index/meta.hpp"
#include "lib/index/segment.hpp"

namespace cbir {

/// A row by its segment, counted from 0, and its number in that.
struct RowPlace {
  std::size_t segment = 0;
  std::size_t row = 0;

  bool operator==(const RowPlace&) const = default;
};

struct OpenedIndex {
  Container container;
  IndexMeta meta;
  IndexInfo info;
  std::vector<Segment> segments;
  std::vector<LiveRows> live;              ///< of each segment
  std::vector<std::uint64_t> first_lives;  ///< how many rows are left before each segment

  /// Takes the container over. Throws DamagedFile, Incompatible.
  explicit OpenedIndex(Container&& file);

  /// Throws MissingInput if no row is left.
  void demand_rows() const;

  /// The row at a position among those that are left, which is less than info.rows; and the way back.
  RowPlace place(std::uint64_t position) const;
  std::uint64_t position(const RowPlace& place) const {
    return first_lives[place.segment] + live[place.segment].rank(place.row);
  }
  std::uint64_t id(const RowPlace& place) const { return segments[place.segment].ids[place.row]; }

  /// The row's description; `row` counts in the segment. Throws DamagedFile.
  RowInfo parse(const Segment& segment, std::size_t row) const;
};

}  // namespace cbir
