// What networks of local features need beside convolutions, against LibTorch's own operators.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <vector>

#include <tests/catch.hpp>

#include "../../lib/nets/local/deformable.hpp"
#include "../../lib/nets/local/keypoints.hpp"
#include "../../lib/nets/local/sampling.hpp"

using namespace cbir::nets;

namespace {

constexpr std::int64_t kBilinear = 0, kBicubic = 2, kZeros = 0;  // of at::grid_sampler

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

ScoreMap map_of(const at::Tensor& scores) {
  return {{scores.data_ptr<float>(), static_cast<std::size_t>(scores.numel())}, scores.size(1), scores.size(0)};
}

/// Scores with plateaus: few different numbers.
at::Tensor scores(std::int64_t height, std::int64_t width, std::int64_t different) {
  return at::randint(different, {height, width}, at::kFloat).div_(static_cast<double>(different));
}

at::Tensor window_maximum(const at::Tensor& x, std::int64_t radius) {
  return at::max_pool2d(x.unsqueeze(0), {2 * radius + 1, 2 * radius + 1}, {1, 1}, {radius, radius}).squeeze(0);
}

/// The peaks as a map of ones.
at::Tensor marked(const std::vector<Peak>& peaks, const at::Tensor& like) {
  at::Tensor out = at::zeros_like(like);
  for (const Peak& peak : peaks) out[peak.y][peak.x] = 1;
  return out;
}

}  // namespace

TEST_CASE("values between pixels are those of grid_sample, and zero outside the map") {
  const c10::InferenceMode inference;
  at::manual_seed(1);
  const at::Tensor x = at::randn({1, 5, 7, 9}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor grid = at::rand({1, 1, 400, 2}) * 3 - 1.5;
  const FeatureMap map(x);
  for (const bool cubic : {false, true}) {
    const at::Tensor theirs = at::grid_sampler(x, grid, cubic ? kBicubic : kBilinear, kZeros, true);
    double worst = 0;
    for (std::int64_t i = 0; i < grid.size(2); ++i) {
      const float at_x = (grid[0][0][i][0].item<float>() + 1) / 2 * 8,
                  at_y = (grid[0][0][i][1].item<float>() + 1) / 2 * 6;
      std::vector<float> ours(5);
      if (cubic) add_bicubic(map, at_x, at_y, ours);
      else add_bilinear(map, at_x, at_y, ours);
      worst = std::max(worst, largest(at::tensor(ours) - theirs[0].select(1, 0).select(1, i)));
    }
    CHECK(worst < 1e-5);
  }
}

TEST_CASE("a maximum is a pixel that none in its window exceeds; equal ones are all of them") {
  const c10::InferenceMode inference;
  at::manual_seed(2);
  for (const std::int64_t different : {5, 100, 100000})
    for (const int radius : {1, 2, 4}) {
      const at::Tensor x = scores(23, 31, different);
      const at::Tensor wanted = at::logical_and(x == window_maximum(x, radius), x > .5).to(at::kFloat);
      CHECK(at::equal(marked(local_maxima(map_of(x), .5F, radius), x), wanted));
    }
}

TEST_CASE("what only a suppressed pixel exceeds gets another chance, twice") {
  const c10::InferenceMode inference;
  at::manual_seed(3);
  for (const std::int64_t different : {5, 100, 100000})
    for (const int radius : {1, 2, 4}) {
      const at::Tensor x = scores(41, 37, different);
      // As SuperPoint's authors state it, over all pixels.
      at::Tensor maxima = x == window_maximum(x, radius);
      for (int round = 0; round < 2; ++round) {
        const at::Tensor near = window_maximum(maxima.to(at::kFloat), radius) > 0;
        const at::Tensor rest = x.masked_fill(near, 0);
        maxima = at::logical_or(maxima, at::logical_and(rest == window_maximum(rest, radius), near.logical_not()));
      }
      const at::Tensor wanted = at::logical_and(maxima, x > .3).to(at::kFloat);
      CHECK(at::equal(marked(local_maxima_again(map_of(x), .3F, radius), x), wanted));
    }
}

TEST_CASE("the strongest are kept in order, and none at the border") {
  std::vector<Peak> peaks = {{0, 5, .9F}, {5, 5, .1F}, {6, 2, .4F}, {7, 7, .4F}, {9, 5, .8F}};
  const std::vector<float> none(100);
  leave_border(peaks, {none, 10, 10}, 1);
  CHECK((peaks == std::vector<Peak>{{5, 5, .1F}, {6, 2, .4F}, {7, 7, .4F}}));
  keep_strongest(peaks, 2);
  CHECK((peaks == std::vector<Peak>{{6, 2, .4F}, {7, 7, .4F}}));
}

TEST_CASE("a cell's 65 answers become its 64 pixels") {
  const c10::InferenceMode inference;
  at::Tensor logits = at::zeros({1, 65, 2, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  logits[0][8 * 6 + 5][1][2] = 20;  // row 6, column 5 of the cell in row 1, column 2
  const at::Tensor pixels = cells_to_pixels(logits);
  REQUIRE(pixels.sizes() == at::IntArrayRef({16, 24}));
  CHECK(pixels.argmax().item<std::int64_t>() == (8 + 6) * 24 + 16 + 5);
  CHECK(pixels[0][0].item<float>() == Approx(1.0 / 65));
}

TEST_CASE(
    "a deformable convolution that moves nothing is a convolution, and one that moves all alike sees them moved") {
  const c10::InferenceMode inference;
  at::manual_seed(4);
  const at::Tensor x = at::randn({1, 8, 16, 12}).contiguous(at::MemoryFormat::ChannelsLast);
  ConvSpec sum, offsets;
  sum.weight = at::randn({6, 8, 3, 3});
  sum.bias = at::randn({6});
  offsets.weight = at::zeros({18, 8, 3, 3});
  offsets.bias = at::zeros({18});
  offsets.padding = Padding::all(1);
  const at::Tensor plain = at::conv2d(x, sum.weight, sum.bias, 1, 1);
  CHECK(largest(DeformableConv(offsets, sum)(x, {}) - plain) < 1e-4);
  const at::Tensor residual = at::randn({1, 6, 16, 12});
  CHECK(largest(DeformableConv(offsets, sum)(x, residual.clone()) - plain - residual) < 1e-4);
  // Two pixels down and one to the right: rows before columns.
  offsets.bias = at::tensor({2.0F, 1.0F}).repeat({9});
  const at::Tensor moved = DeformableConv(offsets, sum)(x, {});
  CHECK(largest(moved.slice(2, 1, 12).slice(3, 1, 9) - plain.slice(2, 3, 14).slice(3, 2, 10)) < 1e-4);
  // No further than a quarter of the longer side, four pixels here.
  offsets.bias = at::tensor({100.0F, 0.0F}).repeat({9});
  const at::Tensor most = DeformableConv(offsets, sum)(x, {});
  CHECK(largest(most.slice(2, 1, 11).slice(3, 1, 11) - plain.slice(2, 5, 15).slice(3, 1, 11)) < 1e-4);
}
