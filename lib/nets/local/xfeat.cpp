// XFeat: Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching" (CVPR 2024), its sparse keypoints,
// with the authors' parameter names. The picture is seen in grey, at sides that are multiples of 32. A backbone of
// convolutions gives descriptors and how reliable they are, one for 8 x 8 pixels; a second, small branch says of each
// 8 x 8 pixels how likely which of them is a keypoint.

#include <ATen/Functions.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "../conv.hpp"
#include "../loading.hpp"
#include "keypoints.hpp"
#include "networks.hpp"
#include "sampling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kMultiple = 32, kCell = 8, kDimension = 64;
constexpr double kEpsilon = 1e-5;  // of batch norm, and of the picture's normalisation

/// The mean of the channels, 0 to 1: 1 x 1 x height x width.
at::Tensor grey(const cbir_net_picture& picture) {
  const at::Tensor out = at::empty({1, 1, picture.height, picture.width});
  const std::uint8_t* pixel = picture.pixels;
  for (float* to = out.data_ptr<float>(); to != out.data_ptr<float>() + out.numel(); ++to, pixel += 3)
    *to = static_cast<float>(pixel[0] + pixel[1] + pixel[2]) / (3 * 255.0F);
  return out;
}

/// Mean 0, variance 1.
void normalise_picture(const at::Tensor& x) {
  float* const values = x.data_ptr<float>();
  const auto count = static_cast<double>(x.numel());
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) sum += static_cast<double>(values[i]);
  const double mean = sum / count;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double d = static_cast<double>(values[i]) - mean;
    squares += d * d;
  }
  const auto scale = static_cast<float>(1 / std::sqrt(squares / count + kEpsilon));
  for (std::int64_t i = 0; i < x.numel(); ++i) values[i] = (values[i] - static_cast<float>(mean)) * scale;
}

std::int64_t multiple(std::uint32_t side) { return std::max<std::int64_t>(side / kMultiple, 1) * kMultiple; }

/// A convolution, its batch norm, which has no parameters of its own, and ReLU.
ConvSpec basic(Parameters& parameters, const std::string& name, at::IntArrayRef shape, std::int64_t stride) {
  const std::string bn = name + ".layer.1.running_";
  ConvSpec out;
  out.weight = parameters.take(name + ".layer.0.weight", shape);
  fold({at::ones({shape[0]}), at::zeros({shape[0]}), parameters.take(bn + "mean", {shape[0]}),
        parameters.take(bn + "var", {shape[0]}), kEpsilon},
       out);
  if (!at::isfinite(out.weight).all().item<bool>())
    throw Error(ExitCode::damaged, "parameter " + bn + "var makes no sense as a variance");
  out.stride = stride;
  out.padding = Padding::all(shape[2] / 2);
  out.activation = Activation::relu;
  return out;
}

/// Two convolutions of 3 x 3 over one channel, the second one of stride 2, over the picture with each 2 x 2 pixels side
/// by side as channels instead. They compute the same; but few channels at full size leave most of a processor's lanes
/// idle.
std::array<ConvSpec, 2> over_squares(const ConvSpec& first, const ConvSpec& second) {
  const std::int64_t channels = first.weight.size(0), out = second.weight.size(0);
  // A pixel's distance, in pixels and along one axis, from the first one of a square: which square, which pixel of it.
  const auto square = [](std::int64_t distance) { return distance < 0 ? -1 : distance / 2; };
  const auto inner = [](std::int64_t distance) { return distance & 1; };
  std::array<ConvSpec, 2> made = {first, second};
  made[0].weight =
      at::zeros({4, channels, 4, 3, 3});  // pixel of the square, channel; pixel of the square; which square
  made[0].bias = first.bias.repeat({4});
  made[1].weight = at::zeros({out, 4, channels, 2, 2});
  made[1].stride = 1;
  made[1].padding = {.top = 1, .left = 1, .bottom = 0, .right = 0};
  for (std::int64_t y = -1; y <= 1; ++y)
    for (std::int64_t x = -1; x <= 1; ++x) {
      const at::Tensor from_first = first.weight.select(3, x + 1).select(2, y + 1).select(1, 0);
      for (std::int64_t pixel = 0; pixel < 4; ++pixel) {
        const std::int64_t down = pixel / 2 + y, right = pixel % 2 + x;
        made[0]
            .weight[pixel]
            .select(1, inner(down) * 2 + inner(right))
            .select(1, square(down) + 1)
            .select(1, square(right) + 1)
            .copy_(from_first);
      }
      made[1]
          .weight.select(1, inner(y) * 2 + inner(x))
          .select(2, square(y) + 1)
          .select(2, square(x) + 1)
          .copy_(second.weight.select(3, x + 1).select(2, y + 1));
    }
  made[0].weight = made[0].weight.view({4 * channels, 4, 3, 3});
  made[1].weight = made[1].weight.view({out, 4 * channels, 2, 2});
  return made;
}

using Layers = std::vector<Conv>;

struct Shape {
  std::int64_t in, out, kernel, stride;
};

Layers block(Parameters& parameters, const std::string& name, std::initializer_list<Shape> shapes) {
  Layers out;
  for (const Shape& s : shapes)
    out.emplace_back(
        basic(parameters, name + "." + std::to_string(out.size()), {s.out, s.in, s.kernel, s.kernel}, s.stride));
  return out;
}

/// The same with a plain 1 x 1 convolution at the end.
Layers head(Parameters& parameters, const std::string& name, std::initializer_list<Shape> shapes, std::int64_t out) {
  Layers layers = block(parameters, name, shapes);
  layers.emplace_back(take_conv(parameters, name + "." + std::to_string(layers.size()), {out, kDimension, 1, 1}));
  return layers;
}

at::Tensor run(const Layers& layers, at::Tensor x) {
  for (const Conv& conv : layers) x = conv(x);
  return x;
}

/// What the network says of a picture; each map is a tensor in channels-last order.
struct Maps {
  at::Tensor descriptors;  ///< one for each cell, of length 1
  at::Tensor reliability;  ///< of each cell
  at::Tensor keypoints;    ///< of each pixel, height x width
};

class XFeat : public FeatureNet {
 public:
  XFeat(const FeatureSettings& settings, Parameters& parameters)
      : settings_(settings),
        skip_(take_conv(parameters, "skip1.1", {24, 1, 1, 1})),
        block1_(first_block(parameters)),
        block2_(block(parameters, "block2", {{24, 24, 3, 1}, {24, 24, 3, 1}})),
        block3_(block(parameters, "block3", {{24, 64, 3, 2}, {64, 64, 3, 1}, {64, 64, 1, 1}})),
        block4_(block(parameters, "block4", {{64, 64, 3, 2}, {64, 64, 3, 1}, {64, 64, 3, 1}})),
        block5_(block(parameters, "block5", {{64, 128, 3, 2}, {128, 128, 3, 1}, {128, 128, 3, 1}, {128, 64, 1, 1}})),
        fusion_(head(parameters, "block_fusion", {{64, 64, 3, 1}, {64, 64, 3, 1}}, kDimension)),
        reliability_(head(parameters, "heatmap_head", {{64, 64, 1, 1}, {64, 64, 1, 1}}, 1)),
        keypoints_(
            head(parameters, "keypoint_head", {{64, 64, 1, 1}, {64, 64, 1, 1}, {64, 64, 1, 1}}, kCell * kCell + 1)) {
    parameters.ignore_prefix("fine_matcher.");  // refines matches of features that lie on a grid
    parameters.ignore_suffix(".num_batches_tracked");
  }

  std::unique_ptr<FeatureNet> clone() const override { return std::make_unique<XFeat>(*this); }

  Features find(const cbir_net_picture& picture, std::size_t limit) const override {
    const std::int64_t width = multiple(picture.width), height = multiple(picture.height);
    at::Tensor input = grey(picture);
    if (width != picture.width || height != picture.height)
      input = at::upsample_bilinear2d(input, {height, width}, false);
    normalise_picture(input);
    const Maps maps = run_network(input);
    const FeatureMap reliability(maps.reliability), descriptors(maps.descriptors);

    std::vector<Peak> peaks =
        local_maxima({{maps.keypoints.data_ptr<float>(), static_cast<std::size_t>(width * height)}, width, height},
                     settings_.threshold, settings_.radius);
    // The original's sampling finds no score in the last column and row, and it takes the first pixel for padding.
    std::erase_if(peaks,
                  [&](const Peak& p) { return p.x == width - 1 || p.y == height - 1 || (p.x == 0 && p.y == 0); });
    const auto across = [&](const Peak& p) { return cell(p.x, width); };
    const auto down = [&](const Peak& p) { return cell(p.y, height); };
    for (Peak& peak : peaks) {
      float sure = 0;
      add_bilinear(reliability, across(peak), down(peak), {&sure, 1});
      peak.score *= sure;
    }
    std::erase_if(peaks, [](const Peak& p) { return !(p.score > 0); });
    keep_strongest(peaks, limit);

    const float scale_x = static_cast<float>(static_cast<double>(picture.width) / static_cast<double>(width)),
                scale_y = static_cast<float>(static_cast<double>(picture.height) / static_cast<double>(height));
    Features out;
    out.descriptors.resize(peaks.size() * kDimension);
    for (std::size_t i = 0; i < peaks.size(); ++i) {
      const Peak& peak = peaks[i];
      const std::span descriptor(out.descriptors.data() + i * kDimension, kDimension);
      add_bicubic(descriptors, across(peak), down(peak), descriptor);
      normalise(descriptor);
      out.keypoints.push_back({.x = static_cast<float>(peak.x) * scale_x,
                               .y = static_cast<float>(peak.y) * scale_y,
                               .size = 0,
                               .angle = -1,
                               .score = peak.score});
    }
    return out;
  }

 private:
  static Layers first_block(Parameters& parameters) {
    Layers out;
    for (const ConvSpec& spec :
         over_squares(basic(parameters, "block1.0", {4, 1, 3, 3}, 1), basic(parameters, "block1.1", {8, 4, 3, 3}, 2)))
      out.emplace_back(spec);
    out.emplace_back(basic(parameters, "block1.2", {8, 8, 3, 3}, 1));
    out.emplace_back(basic(parameters, "block1.3", {24, 8, 3, 3}, 2));
    return out;
  }

  /// Squares of so many pixels a side, of which the pixels become channels, row by row.
  static at::Tensor squares(const at::Tensor& picture, std::int64_t side) {
    const std::int64_t rows = picture.size(2) / side, columns = picture.size(3) / side;
    return picture.view({rows, side, columns, side})
        .permute({0, 2, 1, 3})
        .reshape({1, rows, columns, side * side})
        .permute({0, 3, 1, 2});
  }

  /// Where a pixel lies in the map of cells: the first pixel at its beginning, the last at its end.
  static float cell(std::int32_t pixel, std::int64_t pixels) {
    const float from_minus_to_one = 2 * (static_cast<float>(pixel) / static_cast<float>(pixels - 1)) - 1;
    return ((from_minus_to_one + 1) * static_cast<float>(pixels / kCell) - 1) / 2;
  }

  Maps run_network(const at::Tensor& picture) const {
    const std::int64_t rows = picture.size(2) / kCell, columns = picture.size(3) / kCell;
    const at::Tensor x1 = run(block1_, squares(picture, 2));
    const at::Tensor x2 = run(block2_, skip_(at::avg_pool2d(picture, {4, 4}, {4, 4}), x1));
    const at::Tensor x3 = run(block3_, x2), x4 = run(block4_, x3), x5 = run(block5_, x4);
    const auto enlarged = [&](const at::Tensor& x) { return at::upsample_bilinear2d(x, {rows, columns}, false); };
    const at::Tensor fused = run(fusion_, enlarged(x4).add_(enlarged(x5)).add_(x3));

    const at::Tensor reliability = at::sigmoid(run(reliability_, fused)).contiguous(at::MemoryFormat::ChannelsLast);
    normalise_rows(fused, kDimension);
    return {.descriptors = fused,
            .reliability = reliability,
            .keypoints = cells_to_pixels(run(keypoints_, squares(picture, kCell)))};
  }

  FeatureSettings settings_;
  Conv skip_;
  Layers block1_, block2_, block3_, block4_, block5_, fusion_, reliability_, keypoints_;
};

}  // namespace

std::unique_ptr<FeatureNet> make_xfeat(const FeatureSettings& settings, Parameters& parameters) {
  if (settings.dimension != kDimension)
    throw Error(ExitCode::incompatible, "descriptors of xfeat have " + std::to_string(kDimension) + " numbers, not " +
                                            std::to_string(settings.dimension));
  auto net = std::make_unique<XFeat>(settings, parameters);
  parameters.finish();
  return net;
}

}  // namespace cbir::nets
