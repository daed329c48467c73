#pragma once
/// Zitnick and Dollar, "Edge Boxes: Locating Object Proposals from Edges" (ECCV 2014): a box scores by the contours
/// that it holds whole, those that cross its border not counted.

#include <cstddef>
#include <vector>

#include "edge_groups.hpp"

namespace cbir {

struct EdgeBoxesOptions {
  double step_overlap = .55;   ///< alpha: intersection over union of boxes that are neighbours in the search
  double max_overlap = .55;    ///< beta: of two boxes that overlap more, the better is taken
  double min_area = .02;       ///< of a box, as a share of the picture
  double max_aspect = 3;       ///< of a box, one side to the other
  std::size_t refined = 1000;  ///< the best so many boxes of the search are moved to where they score best
};

struct ScoredBox {
  int left = 0, top = 0, width = 0, height = 0;  ///< in pixels of the edge map
  float score = 0;
};

/// The best first, at most `max`.
std::vector<ScoredBox> edge_boxes(const EdgeGroups& groups, const EdgeBoxesOptions& options, std::size_t max);

}  // namespace cbir
