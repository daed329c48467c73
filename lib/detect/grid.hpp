#pragma once
/// A multi-scale grid of boxes.

#include <cstddef>
#include <vector>

#include <cbir/detect/detector.hpp>

namespace cbir {

/// Squares of .8, .5, .31 ... of the short side, each half over its neighbour; as many sizes as fit into `max` boxes,
/// the largest first, of one size those in the middle first.
std::vector<Detection> grid_boxes(int width, int height, std::size_t max);

}  // namespace cbir
