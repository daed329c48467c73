#include <cbir/detect/proposals.hpp>

#include <tests/catch.hpp>

#include <algorithm>
#include <cbir/base/error.hpp>
#include <cmath>
#include <random>

using namespace cbir;

namespace {

/// Grey noise, and on it a disc of another colour with a pattern.
Image disc_on_noise(int width, int height, double x, double y, double radius) {
  Image out(width, height);
  std::mt19937 random(7);
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) {
      std::uint8_t* pixel = out.row(row) + 3 * column;
      const auto noise = static_cast<int>(random() % 24);
      const bool inside = std::hypot(column + .5 - x, row + .5 - y) < radius;
      const int stripe = (column / 6) % 2 * 40;
      pixel[0] = static_cast<std::uint8_t>(inside ? 200 - stripe : 90 + noise);
      pixel[1] = static_cast<std::uint8_t>(inside ? 60 + stripe : 100 + noise);
      pixel[2] = static_cast<std::uint8_t>(inside ? 50 : 110 + noise);
    }
  return out;
}

double overlap(const Detection& a, const Detection& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1),
               height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - both);
}

double best_overlap(const std::vector<Detection>& found, const Detection& wanted) {
  double best = 0;
  for (const Detection& box : found) best = std::max(best, overlap(box, wanted));
  return best;
}

void check_sound(const std::vector<Detection>& found, int width, int height, std::size_t max) {
  CHECK(found.size() <= max);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Detection& box = found[i];
    CHECK(box.x1 >= 0);
    CHECK(box.y1 >= 0);
    CHECK(box.x2 <= width);
    CHECK(box.y2 <= height);
    CHECK(box.x1 < box.x2);
    CHECK(box.y1 < box.y2);
    CHECK(box.class_id == -1);
    if (i > 0) CHECK(box.confidence <= found[i - 1].confidence);
  }
}

}  // namespace

TEST_CASE("proposals by edges hold a thing that stands out, at any place and size") {
  const auto proposer = open_proposer("edges", {.max = 20});
  for (const auto& [x, y, radius] : {std::tuple(200.0, 150.0, 90.0), {500.0, 330.0, 60.0}, {320.0, 240.0, 200.0}}) {
    CAPTURE(x, y, radius);
    const auto found = proposer->detect(disc_on_noise(640, 480, x, y, radius));
    check_sound(found, 640, 480, 20);
    const Detection wanted{.x1 = x - radius, .y1 = y - radius, .x2 = x + radius, .y2 = y + radius};
    CHECK(best_overlap(
              {found.begin(), found.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(5, found.size()))},
              wanted) > .7);
  }
}

TEST_CASE("the same picture has the same proposals, fewer of them if fewer are wanted") {
  const Image picture = disc_on_noise(300, 400, 120, 200, 70);
  const auto many = open_proposer("edges", {.max = 40})->detect(picture);
  CHECK(many == open_proposer("edges", {.max = 40})->detect(picture));
  const auto few = open_proposer("edges", {.max = 3})->detect(picture);
  REQUIRE(many.size() >= 3);
  CHECK(few == std::vector<Detection>(many.begin(), many.begin() + 3));
}

TEST_CASE("a picture that is blank, tiny, or a line, is no reason to fail") {
  for (const auto& [width, height] : {std::pair(1, 1), {7, 3}, {640, 480}, {3000, 2}, {1, 900}, {33, 17}}) {
    Image picture(width, height);
    std::ranges::fill(picture.data, std::uint8_t{180});
    for (const std::string& name : proposer_names()) {
      CAPTURE(name, width, height);
      const auto found = open_proposer(name)->detect(picture);
      check_sound(found, width, height, 100);
      CHECK(found.empty() == (name == "edges"));
    }
    const auto noisy = open_proposer("edges")->detect(disc_on_noise(width, height, 1, 1, .5));
    check_sound(noisy, width, height, 100);
  }
}

TEST_CASE("a grid covers the picture, and has no more boxes than are wanted") {
  const auto grid = open_proposer("grid", {.max = 100});
  const auto found = grid->detect(Image(640, 480));
  check_sound(found, 640, 480, 100);
  CHECK(found.size() > 50);
  for (const auto& [x, y, side] : {std::tuple(0.0, 0.0, 300.0), {250.0, 90.0, 380.0}, {330.0, 150.0, 240.0}}) {
    CAPTURE(x, y, side);
    CHECK(best_overlap(found, {.x1 = x, .y1 = y, .x2 = x + side, .y2 = y + side}) > .5);
  }
  CHECK(open_proposer("grid", {.max = 1})->detect(Image(640, 480)).size() == 1);
  // The largest square in the middle comes first.
  CHECK(found[0].x1 == Approx(640 - found[0].x2).margin(200));
}

TEST_CASE("only proposers that there are can be opened") {
  CHECK_THROWS_AS(open_proposer("magic"), UsageError);
  for (const std::string& name : proposer_names()) CHECK(open_proposer(name)->classes().empty());
}
