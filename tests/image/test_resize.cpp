#include <hwy/targets.h>
#include <cbir/image/resize.hpp>
#include <lib/base/targets.hpp>
#include <lib/image/resample.hpp>
#include <tests/catch.hpp>

#include "samples.hpp"

using cbir::Filter;

namespace {

constexpr Filter kFilters[] = {Filter::nearest, Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos};

/// An axis with weights as wild as the format allows, to find rounding and clipping that differ.
cbir::resample::Axis wild_axis(int in, int out) {
  cbir::resample::Axis axis;
  axis.taps = 7;
  std::uint32_t state = static_cast<std::uint32_t>(in * 31 + out);
  for (int i = 0; i < out; ++i) {
    const int first = static_cast<int>(std::int64_t{i} * in / out), count = std::min(7, in - first);
    axis.first.push_back(first);
    axis.count.push_back(count);
    for (int tap = 0; tap < 7; ++tap) {
      state = state * 1664525u + 1013904223u;
      axis.weights.push_back(tap < count ? static_cast<std::int32_t>(state >> 10) % (1 << 21) - (1 << 19) : 0);
    }
  }
  return axis;
}

}  // namespace

TEST_CASE("Every instruction set gives what the plain passes give") {
  namespace rs = cbir::resample;
  const std::int64_t all = cbir::supported_targets();
  int tested = 0;
  for (std::int64_t left = all; left != 0; left &= left - 1) {
    const std::int64_t target = left & -left;
    cbir::restrict_targets(target);
    ++tested;
    INFO(hwy::TargetName(target));
    for (const auto& [width, height, to] : {std::tuple(1, 1, 3), std::tuple(2, 5, 1), std::tuple(5, 17, 9),
                                            std::tuple(70, 40, 33), std::tuple(200, 31, 311)}) {
      const cbir::Image image = samples::picture(width, height);
      const rs::Rows rows{image.data.data(), static_cast<std::size_t>(width) * 3};
      std::vector<std::uint8_t> fast(static_cast<std::size_t>(to) * static_cast<std::size_t>(height) * 3, 1),
          plain(fast.size(), 2);
      const rs::Axis across = wild_axis(width, to);
      rs::horizontal(rows, height, across, fast.data());
      rs::horizontal_scalar(rows, height, across, plain.data());
      CHECK(fast == plain);
      const rs::Axis down = wild_axis(height, to);
      fast.assign(static_cast<std::size_t>(to) * rows.stride, 1);
      plain.assign(fast.size(), 2);
      rs::vertical(rows, 0, rows.stride, down, fast.data());
      rs::vertical_scalar(rows, 0, rows.stride, down, plain.data());
      CHECK(fast == plain);
    }
  }
  cbir::restrict_targets(0);
  CHECK(tested >= 1);
}

TEST_CASE("Values worked out by hand") {
  cbir::Image image(4, 1);
  image.data = {0, 0, 0, 100, 0, 0, 200, 0, 0, 40, 0, 0};
  CHECK(cbir::resize(image, 2, 1, Filter::box).data == std::vector<std::uint8_t>{50, 0, 0, 120, 0, 0});
  CHECK(cbir::resize(image, 2, 1, Filter::nearest).data == std::vector<std::uint8_t>{100, 0, 0, 40, 0, 0});
  // Shrinking by two, the triangle weighs 1 3 3 1 eighths; at the borders what is inside is scaled up to 1.
  CHECK(cbir::resize(image, 2, 1, Filter::bilinear).data == std::vector<std::uint8_t>{71, 0, 0, 117, 0, 0});
}

TEST_CASE("A flat picture stays flat, at any size and with any filter") {
  cbir::Image flat(19, 11);
  std::fill(flat.data.begin(), flat.data.end(), std::uint8_t{201});
  for (const Filter filter : kFilters) {
    for (const auto& [width, height] :
         {std::pair(1, 1), std::pair(7, 30), std::pair(64, 3), std::pair(19, 5), std::pair(5, 11)}) {
      const cbir::Image out = cbir::resize(flat, width, height, filter);
      CHECK(std::pair(out.width, out.height) == std::pair(width, height));
      CHECK(std::all_of(out.data.begin(), out.data.end(), [](std::uint8_t v) { return v == 201; }));
    }
  }
}

TEST_CASE("A window is what cropping the whole would give") {
  const cbir::Image image = samples::picture(50, 37);
  for (const Filter filter : kFilters) {
    for (const auto& [width, height] : {std::pair(34, 25), std::pair(50, 60), std::pair(90, 37), std::pair(50, 37)}) {
      const cbir::Image whole = cbir::resize(image, width, height, filter);
      for (const auto& [left, top, w, h] :
           {std::tuple(5, 4, 20, 16), std::tuple(0, 0, width, height), std::tuple(-3, -2, 12, 100),
            std::tuple(width - 1, height - 1, 1, 1), std::tuple(width, 0, 5, 5), std::tuple(-9, 3, 4, 4)}) {
        CHECK(samples::largest_difference(cbir::resize_window(image, width, height, left, top, w, h, filter),
                                          cbir::crop(whole, left, top, w, h)) == 0);
      }
    }
  }
}

TEST_CASE("Cropping: what lies outside is black") {
  cbir::Image image(2, 2);
  image.data = {1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4};
  CHECK(cbir::crop(image, 1, 1, 2, 2).data == std::vector<std::uint8_t>{4, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(cbir::crop(image, -1, 0, 2, 1).data == std::vector<std::uint8_t>{0, 0, 0, 1, 1, 1});
  CHECK(cbir::crop(image, 5, 5, 1, 1).data == std::vector<std::uint8_t>{0, 0, 0});
  CHECK(cbir::crop(image, INT32_MAX, INT32_MIN, 1, 1).data == std::vector<std::uint8_t>{0, 0, 0});
}

TEST_CASE("Sides below 1 are refused") {
  const cbir::Image image = samples::picture(4, 4);
  CHECK_THROWS_AS(cbir::resize(image, 0, 4, Filter::bicubic), cbir::UsageError);
  CHECK_THROWS_AS(cbir::resize(image, 4, -1, Filter::bicubic), cbir::UsageError);
  CHECK_THROWS_AS(cbir::crop(image, 0, 0, 0, 1), cbir::UsageError);
  CHECK_THROWS_AS(cbir::resize(cbir::Image(), 4, 4, Filter::bicubic), cbir::UsageError);
}
