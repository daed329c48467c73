/// SIFT and ORB out of pictures, and what becomes of them.

#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/random.hpp>
#include <cbir/image/resize.hpp>
#include <cbir/local/local.hpp>
#include <tests/catch.hpp>

#include <lib/local/geometry.hpp>

using namespace cbir;

namespace {

Image filled(int width, int height, std::uint8_t value) {
  Image out(width, height);
  std::fill(out.data.begin(), out.data.end(), value);
  return out;
}

/// Blots of random size and brightness: much to see, nothing twice.
Image blots(int width, int height, std::uint64_t seed) {
  SplitMix64 random(seed);
  Image out = filled(width, height, 128);
  for (int i = 0; i < width * height / 300; ++i) {
    const auto at = [&](int side) { return static_cast<int>(random.below(static_cast<std::uint64_t>(side))); };
    const int x = at(width), y = at(height), half_x = 2 + at(14), half_y = 2 + at(14), value = at(256);
    for (int v = std::max(0, y - half_y); v < std::min(height, y + half_y); ++v)
      for (int u = std::max(0, x - half_x); u < std::min(width, x + half_x); ++u)
        std::fill_n(out.row(v) + 3 * u, 3, static_cast<std::uint8_t>(value));
  }
  return out;
}

Image tiled(const Image& tile, int columns, int rows) {
  Image out(tile.width * columns, tile.height * rows);
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < columns; ++x)
      std::copy_n(tile.row(y % tile.height), tile.width * 3, out.row(y) + x * tile.width * 3);
  return out;
}

std::unique_ptr<LocalExtractor> open(const std::string& features) {
  return open_local_extractor({.features = features, .keypoints = 500});
}

Verification compare(const LocalExtractor& extractor, const Image& a, const Image& b) {
  const LocalFeatures of_a = extractor.extract(a), of_b = extractor.extract(b);
  const auto matches = open_local_matcher("nn", extractor.kind())->match(of_a, of_b);
  return verify_matches(of_a, of_b, matches, {});
}

}  // namespace

TEST_CASE("features are the strongest first, as many as wanted, with descriptors of their kind") {
  for (const std::string name : {"sift", "orb"}) {
    INFO(name);
    const auto extractor = open(name);
    const LocalKind& kind = extractor->kind();
    CHECK(kind.name == name);
    CHECK(kind.fingerprint.size() == 64);
    CHECK(kind.dim == (name == "sift" ? 128 : 32));
    const LocalFeatures found = extractor->extract(blots(400, 300, 1));
    CHECK(found.width == 400);
    CHECK(found.height == 300);
    CHECK(found.size() > 400);
    CHECK(found.size() <= 500);
    CHECK((kind.binary ? found.bits.size() : found.descriptors.size()) == found.size() * kind.dim);
    CHECK(std::ranges::is_sorted(found.keypoints, std::greater(), &Keypoint::score));
  }
}

TEST_CASE("the same picture has the same features every time") {
  for (const std::string name : {"sift", "orb"}) {
    const Image picture = blots(300, 200, 2);
    const LocalFeatures first = open(name)->extract(picture), again = open(name)->extract(picture);
    CHECK(first.keypoints == again.keypoints);
    CHECK(first.descriptors == again.descriptors);
    CHECK(first.bits == again.bits);
  }
}

TEST_CASE("a picture that was enlarged, cut and shifted is recognised, with the place") {
  const Image original = blots(480, 360, 3);
  const Image part = resize(crop(original, 80, 60, 320, 240), 480, 360, Filter::bicubic);
  for (const std::string name : {"sift", "orb"}) {
    INFO(name);
    const Verification found = compare(*open(name), original, part);
    REQUIRE(found.transform);
    CHECK(found.verified());
    // (80, 60) is the corner, and pixels are 1.5 times larger.
    CHECK(error_of(GeometricModel::homography, *found.transform, {240, 180, 240.25, 180.25}) < 1);
  }
}

TEST_CASE("a large picture is looked at smaller, and its features are in its own pixels") {
  const Image small = blots(400, 300, 4), large = resize(small, 2400, 1800, Filter::bicubic);
  const auto extractor = open_local_extractor({.features = "sift", .keypoints = 500, .max_side = 400});
  const LocalFeatures found = extractor->extract(large);
  CHECK(found.width == 2400);
  CHECK(found.scale == 6);
  const Verification verified = compare(*extractor, small, large);
  REQUIRE(verified.transform);
  CHECK((*verified.transform)[0] == Approx(6).margin(.05));
}

TEST_CASE("other pictures are not recognised") {
  for (const std::string name : {"sift", "orb"})
    CHECK_FALSE(compare(*open(name), blots(400, 300, 5), blots(400, 300, 6)).verified());
}

TEST_CASE("where there is nothing to see there are no features, and nothing is proved") {
  const auto sift = open("sift");
  for (const Image& picture : {filled(1, 1, 9), filled(300, 200, 255), filled(2000, 1, 0), filled(11, 500, 40)}) {
    INFO(picture.width << " x " << picture.height);
    CHECK(sift->extract(picture).size() == 0);
    CHECK(open("orb")->extract(picture).size() == 0);
    const Verification found = compare(*sift, picture, picture);
    CHECK(found.matches == 0);
    CHECK(found.score == 0);
    CHECK_FALSE(found.transform);
  }
}

TEST_CASE("every small size has an answer") {
  for (int side = 1; side < 48; ++side)
    for (const std::string name : {"sift", "orb"}) {
      open(name)->extract(blots(side, side, 7));
      open(name)->extract(blots(side, 100, 8));
    }
}

TEST_CASE("a repeated texture proves nothing about where it is") {
  const Image texture = tiled(blots(40, 40, 9), 10, 8);
  const Verification found = compare(*open("sift"), texture, tiled(blots(40, 40, 9), 8, 9));
  CHECK(found.matches < 200);  // the ratio test sees that there are others as near
}

TEST_CASE("a picture and itself: every feature, and the identity") {
  const Image picture = blots(320, 240, 10);
  const Verification found = compare(*open("sift"), picture, picture);
  REQUIRE(found.transform);
  CHECK(found.inliers.size() == found.matches);
  CHECK(found.matches > 300);
  CHECK((*found.transform)[0] == Approx(1).margin(1e-4));
  CHECK((*found.transform)[5] == Approx(0).margin(1e-2));
}

TEST_CASE("names that are none are said") { CHECK_THROWS_WITH(open("surf"), ContainsSubstring("sift, orb, xfeat")); }
