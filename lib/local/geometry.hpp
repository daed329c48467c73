#pragma once
/// Geometry of two pictures: what a model takes a point to, and when it cannot be true.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <cbir/local/local.hpp>

namespace cbir {

using Transform = std::array<double, 9>;  ///< row by row

/// A point of the first picture and one of the second.
struct PointPair {
  double ax = 0, ay = 0, bx = 0, by = 0;
};

/// The same transform with a last number of 1, or, where that is 0, of length 1.
Transform normalised(const Transform& transform);

/// For points of pictures that are so many times larger, a side.
Transform scaled(GeometricModel model, const Transform& transform, double a, double b);

/// Pixels of the second picture between the point and where the model has it: of the model fundamental the larger of
/// the distances to the epipolar lines in either picture. Infinite for a point that is taken to nowhere.
double error_of(GeometricModel model, const Transform& transform, const PointPair& pair);

/// Whether two cameras that look at one thing cannot give this: the thing is mirrored, seen from behind, turned into a
/// line or a point, larger or smaller than any zoom; or its inliers lie on one line or in one place.
bool is_degenerate(GeometricModel model, const Transform& transform, std::span<const PointPair> points,
                   std::span<const std::uint32_t> inliers);

/// How many of the pairs lie at places of their own in both pictures: two within `distance` are at one place.
std::size_t distinct_places(std::span<const PointPair> points, std::span<const std::uint32_t> which, double distance);

/// 0, 1, ..., points.size() - 1.
std::vector<std::uint32_t> all_of(std::span<const PointPair> points);

}  // namespace cbir
