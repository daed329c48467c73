#pragma once
/// Rows that meet criteria, as masks of segments.

#include <cstdint>
#include <vector>

#include "lib/index/opened.hpp"

namespace cbir {

struct RowFilter::Masks {
  struct OfSegment {
    std::vector<std::uint64_t> words;
    std::size_t passing = 0;

    RowMask mask() const noexcept { return {.words = words, .passing = passing}; }
  };
  std::vector<OfSegment> segments;
};

/// Rows that are left and meet the criteria. Labels are found by their hashes, paths are all looked at.
/// Throws DamagedFile.
RowFilter::Masks filter_rows(const OpenedIndex& index, const RowCriteria& criteria);

}  // namespace cbir
