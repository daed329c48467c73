#include <cmath>

#include <lib/local/geometry.hpp>
#include <tests/catch.hpp>

#include "scene.hpp"

using namespace cbir;

namespace {

/// A grid of points and where the transform takes them.
std::vector<PointPair> grid(const Transform& transform) {
  std::vector<PointPair> out;
  for (double y = 0; y <= 400; y += 100)
    for (double x = 0; x <= 400; x += 100) {
      const auto [u, v] = fixture::apply(transform, x, y);
      out.push_back({x, y, u, v});
    }
  return out;
}

bool is_degenerate(const Transform& transform) {
  const auto points = grid(transform);
  return cbir::is_degenerate(GeometricModel::homography, transform, points, cbir::all_of(points));
}

}  // namespace

TEST_CASE("the error is the distance to where the model has the point") {
  const Transform shift = {1, 0, 10, 0, 1, 20, 0, 0, 1};
  CHECK(error_of(GeometricModel::homography, shift, {1, 2, 11, 22}) == 0);
  CHECK(error_of(GeometricModel::affine, shift, {1, 2, 14, 26}) == Approx(5));
  CHECK(std::isinf(error_of(GeometricModel::homography, {1, 0, 0, 0, 1, 0, -1, 0, 1}, {1, 0, 0, 0})));
}

TEST_CASE("of the fundamental matrix it is the distance to the epipolar line") {
  // Cameras side by side: points keep their height.
  const Transform sideways = {0, 0, 0, 0, 0, -1, 0, 1, 0};
  CHECK(error_of(GeometricModel::fundamental, sideways, {5, 7, 300, 7}) == 0);
  CHECK(error_of(GeometricModel::fundamental, sideways, {5, 7, 300, 9}) == Approx(2));
}

TEST_CASE("a transform of smaller pictures becomes that of the whole ones") {
  const Transform h = fixture::kTilted, whole = scaled(GeometricModel::homography, h, 2, 4);
  const auto [u, v] = fixture::apply(h, 50, 60);
  CHECK(error_of(GeometricModel::homography, whole, {100, 120, u * 4, v * 4}) < 1e-4);

  const Transform sideways = {0, 0, 0, 0, 0, -1, 0, 1, 0};
  const Transform of_whole = scaled(GeometricModel::fundamental, sideways, 2, 4);
  CHECK(error_of(GeometricModel::fundamental, of_whole, {10, 14, 99, 28}) < 1e-9);
}

TEST_CASE("a transform of parts becomes that of the pictures that they are parts of") {
  const auto [u, v] = fixture::apply(fixture::kTilted, 50, 60);
  const Transform whole = in_whole_pictures(GeometricModel::homography, fixture::kTilted, {100, 20}, {7, 9});
  CHECK(error_of(GeometricModel::homography, whole, {150, 80, u + 7.0, v + 9.0}) < 1e-4);

  const Transform sideways = {0, 0, 0, 0, 0, -1, 0, 1, 0};
  const Transform of_whole = in_whole_pictures(GeometricModel::fundamental, sideways, {100, 20}, {7, 9});
  CHECK(error_of(GeometricModel::fundamental, of_whole, {105, 27, 300, 16}) < 1e-9);
}

TEST_CASE("what no camera does is degenerate") {
  CHECK_FALSE(is_degenerate({1, 0, 0, 0, 1, 0, 0, 0, 1}));
  CHECK_FALSE(is_degenerate(fixture::kTilted));
  CHECK_FALSE(is_degenerate({0, -3, 900, 3, 0, 0, 0, 0, 1}));  // a quarter turn, three times larger
  CHECK(is_degenerate({-1, 0, 400, 0, 1, 0, 0, 0, 1}));        // mirrored
  CHECK(is_degenerate({.01, 0, 0, 0, .01, 0, 0, 0, 1}));       // a point
  CHECK(is_degenerate({1, 0, 0, 0, .02, 0, 0, 0, 1}));         // a line
  CHECK(is_degenerate({1, 0, 0, 0, 1, 0, -.004, 0, 1}));       // the horizon runs through it
  CHECK(is_degenerate({NAN, 0, 0, 0, 1, 0, 0, 0, 1}));
}

TEST_CASE("inliers on one line prove no plane") {
  std::vector<PointPair> points;
  for (double t = 0; t < 300; t += 10) points.push_back({t, 2 * t, t, 2 * t});
  CHECK(cbir::is_degenerate(GeometricModel::homography, {1, 0, 0, 0, 1, 0, 0, 0, 1}, points, cbir::all_of(points)));
}

TEST_CASE("several matches at one place are one") {
  const std::vector<PointPair> points = {{100, 100, 50, 50}, {101, 101, 50, 50}, {200, 100, 50, 50}, {300, 9, 90, 9}};
  CHECK(distinct_places(points, cbir::all_of(points), 3) == 2);  // the third is elsewhere in one picture alone
}
