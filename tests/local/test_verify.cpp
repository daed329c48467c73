#include <cbir/base/error.hpp>
#include <cbir/local/local.hpp>
#include <tests/catch.hpp>

#include <lib/local/geometry.hpp>

#include "scene.hpp"

using namespace cbir;
using fixture::kTilted;
using fixture::Scene;
using fixture::scene;

namespace {

Verification verify(const Scene& of, GeometricModel model = GeometricModel::homography, std::uint64_t seed = 0) {
  return verify_matches(of.a, of.b, of.matches, {.model = model, .seed = seed});
}

}  // namespace

TEST_CASE("the model that many matches agree on is found, whatever the others say") {
  const Scene of = scene(kTilted, 60, 100);
  const Verification found = verify(of);
  REQUIRE(found.transform);
  CHECK(found.matches == 160);
  CHECK(found.inliers.size() >= 55);
  CHECK(found.verified());
  const auto [u, v] = fixture::apply(kTilted, 300, 300);
  CHECK(error_of(GeometricModel::homography, *found.transform, {300, 300, u, v}) < 1);
}

TEST_CASE("the same input has the same result, each seed its own way to it") {
  const Scene of = scene(kTilted, 40, 120);
  const Verification first = verify(of), again = verify(of), other = verify(of, GeometricModel::homography, 7);
  CHECK(first.transform == again.transform);
  CHECK(first.inliers == again.inliers);
  CHECK(other.verified());
}

TEST_CASE("matches that nothing explains prove nothing") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    CHECK_FALSE(verify(scene(kTilted, 0, 200, 0, seed)).verified());
    CHECK_FALSE(verify(scene(kTilted, 0, 10, 0, seed)).verified());
  }
}

TEST_CASE("a mirrored picture is not the same thing") {
  const Verification found = verify(scene({-1, 0, 600, 0, 1, 0, 0, 0, 1}, 80, 20));
  CHECK_FALSE(found.transform);
  CHECK(found.score == 0);
  CHECK(found.inliers.empty());
}

TEST_CASE("matches of one place, of one line, or fewer than a model has numbers: no model") {
  CHECK_FALSE(verify(scene(kTilted, 0, 0)).transform);
  CHECK_FALSE(verify(scene(kTilted, 1, 0)).transform);
  CHECK_FALSE(verify(scene(kTilted, 4, 0)).transform);
  Scene place = scene(kTilted, 50, 0), line = place;
  for (Keypoint& point : place.a.keypoints) point = {.x = 5, .y = 5};
  for (Keypoint& point : place.b.keypoints) point = {.x = 9, .y = 9};
  CHECK_FALSE(verify(place).transform);
  for (std::size_t i = 0; i < line.a.keypoints.size(); ++i) {
    const auto t = static_cast<float>(i);
    line.a.keypoints[i] = line.b.keypoints[i] = {.x = t * 10, .y = t * 3};
  }
  CHECK_FALSE(verify(line).transform);
}

TEST_CASE("identical pictures: the identity") {
  const Verification found = verify(scene({1, 0, 0, 0, 1, 0, 0, 0, 1}, 200, 0, 0));
  REQUIRE(found.transform);
  CHECK(found.inliers.size() == 200);
  CHECK((*found.transform)[0] == Approx(1).margin(1e-3));
  CHECK((*found.transform)[2] == Approx(0).margin(1e-1));
}

TEST_CASE("affine and fundamental models are found as well") {
  const Verification affine = verify(scene({.7, -.3, 50, .2, .9, 5, 0, 0, 1}, 60, 60), GeometricModel::affine);
  REQUIRE(affine.transform);
  CHECK((*affine.transform)[0] == Approx(.7).margin(.02));
  CHECK((*affine.transform)[8] == 1);
  CHECK(affine.verified());
  // Cameras side by side: every point is shifted along its row by as much as it is near.
  Scene sideways = scene({1, 0, 0, 0, 1, 0, 0, 0, 1}, 80, 40, .2);
  for (std::size_t i = 0; i < 80; ++i) sideways.b.keypoints[i].x += static_cast<float>(i % 17) * 9;
  const Verification fundamental = verify(sideways, GeometricModel::fundamental);
  REQUIRE(fundamental.transform);
  CHECK(fundamental.inliers.size() >= 70);
  CHECK(fundamental.verified());
}

TEST_CASE("pictures that were looked at smaller: thresholds are theirs, the transform is of the whole ones") {
  Scene of = scene(kTilted, 60, 30);
  for (Keypoint& point : of.a.keypoints) point.x *= 8, point.y *= 8;
  of.a.scale = 8;
  of.a.width = of.a.height = 8 * fixture::kSide;
  const Verification found = verify(of);
  REQUIRE(found.transform);
  const auto [u, v] = fixture::apply(kTilted, 300, 300);
  CHECK(error_of(GeometricModel::homography, *found.transform, {2400, 2400, u, v}) < 1);
}

TEST_CASE("a match of a feature that is not there is refused") {
  Scene of = scene(kTilted, 20, 0);
  of.matches[3].b = 20;
  CHECK_THROWS_AS(verify(of), UsageError);
}

TEST_CASE("names of models") {
  CHECK(parse_geometric_model("affine") == GeometricModel::affine);
  CHECK(to_string(GeometricModel::fundamental) == "fundamental");
  CHECK_THROWS_AS(parse_geometric_model("perspective"), UsageError);
}
