#pragma once
/// Edges in groups that are nearly straight, and how likely two groups are of one contour (section 3.1 of Edge Boxes).

#include <cstdint>
#include <vector>

#include "edge_map.hpp"

namespace cbir {

struct EdgeGroups {
  struct Link {
    std::int32_t to;
    float affinity;  ///< 0 to 1
  };
  struct Group {
    float strength = 0;  ///< of its edges together
    int x = 0, y = 0;    ///< of the edge in its middle
    std::vector<Link> links = {};
  };

  int width = 0, height = 0;
  std::vector<Group> groups = {};
  std::vector<std::int32_t> group_of = {};  ///< of each pixel, row by row; -1: none
  std::vector<float> strength = {};         ///< of each pixel
};

EdgeGroups group_edges(const EdgeMap& edges);

}  // namespace cbir
