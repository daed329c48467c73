#pragma once
/// Where the outline of an item's picture comes to lie.

#include <array>
#include <optional>

#include <cbir/extract/boxes.hpp>

namespace cbir {

/// The box around a picture of width x height that is seen through `transform`, as far as it lies in a picture of
/// seen_width x seen_height. Nothing if that is no sight of a flat thing: turned inside out or mirrored, folded,
/// squeezed to less than a tenth of one side against the other, or all but outside.
std::optional<Box> seen_box(const std::array<double, 9>& transform, int width, int height, int seen_width,
                            int seen_height);

double area(const Box& box);
double shared_area(const Box& a, const Box& b);

/// Intersection over union.
double box_iou(const Box& a, const Box& b);

}  // namespace cbir
