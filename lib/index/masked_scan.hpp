#pragma once
/// Exact search among the few rows that a filter lets pass.

#include "lib/index/structure.hpp"

namespace cbir {

/// Scores the mask's rows of the segment exactly, and offers them to best[q]. For a mask that has words.
void scan_passing(const Segment& segment, Metric metric, MatrixView<const float> queries, const RowMask& mask,
                  std::span<TopK> best, SearchCounts& counts);

}  // namespace cbir
