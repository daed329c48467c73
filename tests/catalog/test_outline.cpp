#include <cmath>

#include "lib/catalog/outline.hpp"
#include "tests/catch.hpp"

using namespace cbir;

namespace {

using Transform = std::array<double, 9>;

constexpr Transform kIdentity = {1, 0, 0, 0, 1, 0, 0, 0, 1};

Transform turned(double degrees, double scale, double x, double y) {
  const double angle = degrees * std::acos(-1.) / 180, c = scale * std::cos(angle), s = scale * std::sin(angle);
  return {c, -s, x, s, c, y, 0, 0, 1};
}

}  // namespace

TEST_CASE("An item that is seen as it is takes up its own size") {
  CHECK(seen_box(kIdentity, 30, 20, 100, 100) == Box{0, 0, 30, 20});
}

TEST_CASE("The box is around the turned outline, and ends where the picture does") {
  const auto box = seen_box(turned(90, 2, 60, 10), 30, 20, 100, 100);
  REQUIRE(box);
  CHECK(box->x1 == Approx(20));
  CHECK(box->y1 == Approx(10));
  CHECK(box->x2 == Approx(60));
  CHECK(box->y2 == Approx(70));
  const auto cut = seen_box(turned(0, 1, 90, 0), 30, 20, 100, 100);
  REQUIRE(cut);
  CHECK(cut->x2 == Approx(100));
}

TEST_CASE("What no camera sees of a flat thing is no finding") {
  CHECK_FALSE(seen_box({-1, 0, 50, 0, 1, 0, 0, 0, 1}, 30, 20, 100, 100));     // mirrored
  CHECK_FALSE(seen_box({1, 0, 0, 0, .05, 0, 0, 0, 1}, 100, 200, 300, 300));   // squeezed
  CHECK_FALSE(seen_box(turned(0, .01, 5, 5), 100, 100, 300, 300));            // to a point
  CHECK_FALSE(seen_box({1, 0, 0, 0, 1, 0, -.02, 0, 1}, 100, 100, 300, 300));  // half of it behind the camera
  CHECK_FALSE(seen_box(turned(0, 1, 95, 0), 100, 100, 100, 100));             // all but outside
  CHECK_FALSE(seen_box({std::nan(""), 0, 0, 0, 1, 0, 0, 0, 1}, 30, 20, 99, 99));
}

TEST_CASE("Boxes share what lies in both") {
  const Box a{0, 0, 10, 10}, b{5, 0, 15, 10}, c{20, 20, 30, 30};
  CHECK(shared_area(a, b) == Approx(50));
  CHECK(box_iou(a, b) == Approx(1. / 3));
  CHECK(box_iou(a, c) == 0);
  CHECK(box_iou(Box{}, Box{}) == 0);
}
