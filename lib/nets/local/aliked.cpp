// ALIKED: Zhao et al., "ALIKED: A Lighter Keypoint and Descriptor Extraction Network via Deformable Transformation"
// (IEEE TIM 2023), with the authors' parameter names. Four blocks of convolutions, at full size, a half, an eighth and
// a 32nd, the last two deformable; what they say of a pixel, side by side, makes its score and its feature. A
// keypoint's descriptor is made of features at places around it that the network chooses.
//
// The map of features at full size is never made: scores are linear in what is enlarged, so that it can be weighted
// first, and features are wanted at few pixels.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "../conv.hpp"
#include "../linear.hpp"
#include "../loading.hpp"
#include "deformable.hpp"
#include "keypoints.hpp"
#include "networks.hpp"
#include "sampling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kMultiple = 32, kPatch = 3;
constexpr double kEpsilon = 1e-5;     // of batch norm
constexpr float kTemperature = 0.1F;  // of the soft maximum that moves keypoints

struct Layout {
  std::array<std::int64_t, 4> channels;  // of the blocks
  std::int64_t places;                   // that a descriptor is made of

  std::int64_t dimension() const { return channels[3]; }
  std::int64_t quarter() const { return dimension() / 4; }
};

Layout layout_of(const FeatureSettings& settings) {
  static const std::map<std::string, Layout, std::less<>> layouts = {{"aliked-t16", {{8, 16, 32, 64}, 16}},
                                                                     {"aliked-n16", {{16, 32, 64, 128}, 16}},
                                                                     {"aliked-n32", {{16, 32, 64, 128}, 32}}};
  const Layout layout = layouts.at(settings.network);
  if (settings.dimension != layout.dimension())
    throw Error(ExitCode::incompatible, "descriptors of " + settings.network + " have " +
                                            std::to_string(layout.dimension()) + " numbers, not " +
                                            std::to_string(settings.dimension));
  return layout;
}

/// The picture in the middle of one whose sides are multiples of 32, its edge repeated.
struct Padded {
  std::int64_t left, top, width, height;

  explicit Padded(const cbir_net_picture& picture)
      : left(missing(picture.width) / 2),
        top(missing(picture.height) / 2),
        width(picture.width + missing(picture.width)),
        height(picture.height + missing(picture.height)) {}

  /// 1 x 3 x height x width, 0 to 1, channels last.
  at::Tensor tensor(const cbir_net_picture& picture) const {
    const at::Tensor out = at::empty({1, 3, height, width}, at::TensorOptions(), at::MemoryFormat::ChannelsLast);
    float* to = out.data_ptr<float>();
    for (std::int64_t y = 0; y < height; ++y) {
      const std::uint8_t* const row =
          picture.pixels + std::clamp<std::int64_t>(y - top, 0, picture.height - 1) * std::int64_t{picture.width} * 3;
      for (std::int64_t x = 0; x < width; ++x)
        for (std::int64_t c = 0; c < 3; ++c)
          *to++ = static_cast<float>(row[std::clamp<std::int64_t>(x - left, 0, picture.width - 1) * 3 + c]) / 255;
    }
    return out;
  }

 private:
  static std::int64_t missing(std::uint32_t side) { return (kMultiple - side % kMultiple) % kMultiple; }
};

ConvSpec plain(Parameters& parameters, const std::string& name, at::IntArrayRef shape, Activation activation) {
  ConvSpec out;
  out.weight = parameters.take(name + ".weight", shape);
  out.padding = Padding::all(shape[2] / 2);
  out.activation = activation;
  return out;
}

ConvSpec normed(Parameters& parameters, const std::string& block, const char* number, at::IntArrayRef shape) {
  ConvSpec out = take_conv(parameters, block + "conv" + number, block + "bn" + number, shape, kEpsilon);
  out.padding = Padding::all(1);
  out.activation = Activation::selu;
  return out;
}

ConvSpec downsample(Parameters& parameters, const std::string& block, std::int64_t in, std::int64_t out) {
  return take_conv(parameters, block + "downsample", {out, in, 1, 1});
}

/// A 3 x 3 convolution at places that another one moves, with its batch norm.
DeformableConv deformable(Parameters& parameters, const std::string& block, const char* number, std::int64_t in,
                          std::int64_t out) {
  const std::string conv = block + "conv" + number;
  ConvSpec offsets = take_conv(parameters, conv + ".offset_conv", {2 * 9, in, 3, 3});
  offsets.padding = Padding::all(1);
  ConvSpec sum = take_conv(parameters, conv + ".regular_conv", block + "bn" + number, {out, in, 3, 3}, kEpsilon);
  sum.activation = Activation::selu;
  return {offsets, sum};
}

/// What the blocks say, each at its own size: a quarter of the feature each.
struct Parts {
  std::vector<at::Tensor> full;  ///< at full size in strips of kMultiple rows: small pieces of memory are used again
  std::array<at::Tensor, 3> fractions;  ///< of the other blocks
};

/// One part of a pixel's feature, enlarged where it is wanted.
class Enlarged {
 public:
  /// `width` and `height` are those of the whole (padded) picture.
  Enlarged(const at::Tensor& part, std::int64_t width, std::int64_t height)
      : map_(part), x_scale_(ratio(map_.width, width)), y_scale_(ratio(map_.height, height)) {}

  /// Its numbers at a pixel of the whole, its corners being those of the whole.
  void write(std::int64_t x, std::int64_t y, std::span<float> out) const {
    std::ranges::fill(out, 0.0F);
    add_bilinear(map_, static_cast<float>(x) * x_scale_, static_cast<float>(y) * y_scale_, out);
  }

 private:
  static float ratio(std::int64_t part, std::int64_t whole) {
    return static_cast<float>(part - 1) / static_cast<float>(whole - 1);
  }

  FeatureMap map_;
  float x_scale_, y_scale_;
};

/// Features of a picture's pixels, made when asked for.
class PixelFeatures {
 public:
  PixelFeatures(const Parts& parts, const cbir_net_picture& picture, const Padded& padded)
      : width_(picture.width), height_(picture.height), left_(padded.left), top_(padded.top) {
    for (const at::Tensor& strip : parts.full) full_.emplace_back(strip);
    for (const at::Tensor& part : parts.fractions) fractions_.emplace_back(part, padded.width, padded.height);
  }

  /// A vector of length 1.
  void write(std::int64_t x, std::int64_t y, std::span<float> out) const {
    const std::size_t quarter = out.size() / 4;
    x += left_, y += top_;
    std::copy_n(full_[static_cast<std::size_t>(y / kMultiple)].at(x, y % kMultiple), quarter, out.begin());
    for (std::size_t i = 0; i < fractions_.size(); ++i)
      fractions_[i].write(x, y, out.subspan((i + 1) * quarter, quarter));
    normalise(out);
  }

  /// Between pixels, zero outside the picture. `scratch` has room for one.
  void write_between(float x, float y, std::span<float> out, std::span<float> scratch) const {
    std::ranges::fill(out, 0.0F);
    const float left = std::floor(x), top = std::floor(y), tx = x - left, ty = y - top;
    for (int corner = 0; corner < 4; ++corner) {
      const bool right = corner & 1, below = corner & 2;
      const float weight = (right ? tx : 1 - tx) * (below ? ty : 1 - ty);
      const std::int64_t px = static_cast<std::int64_t>(left) + right, py = static_cast<std::int64_t>(top) + below;
      if (weight == 0 || px < 0 || py < 0 || px >= width_ || py >= height_) continue;
      write(px, py, scratch);
      for (std::size_t c = 0; c < out.size(); ++c) out[c] += weight * scratch[c];
    }
  }

  std::int64_t width() const { return width_; }
  std::int64_t height() const { return height_; }

 private:
  std::int64_t width_, height_, left_, top_;
  std::vector<FeatureMap> full_;
  std::vector<Enlarged> fractions_;
};

/// Descriptors of keypoints: the sparse deformable descriptor head.
class DescriptorHead {
 public:
  DescriptorHead(Parameters& parameters, const Layout& layout)
      : dimension_(layout.dimension()),
        places_(layout.places),
        move_first_(first_move(parameters, layout)),
        move_second_(second_move(parameters, layout)),
        feature_(feature(parameters, layout)),
        sum_(sum(parameters, layout)) {}

  /// One for each keypoint, which lies at x, y: keypoints x dimension.
  at::Tensor operator()(const std::vector<cbir_local_keypoint>& keypoints, const PixelFeatures& pixels) const {
    const auto count = static_cast<std::int64_t>(keypoints.size());
    const auto dimension = static_cast<std::size_t>(dimension_);
    const at::Tensor patches = at::empty({count, kPatch * kPatch * dimension_});
    float* to = patches.data_ptr<float>();
    for (const cbir_local_keypoint& point : keypoints) {
      const std::int64_t left = corner(point.x, pixels.width()), top = corner(point.y, pixels.height());
      for (std::int64_t y = 0; y < kPatch; ++y)
        for (std::int64_t x = 0; x < kPatch; ++x, to += dimension_) pixels.write(left + x, top + y, {to, dimension});
    }
    const at::Tensor moves = move_second_(move_first_(patches));  // keypoints x (x or y, place)
    const float most = static_cast<float>(std::max(pixels.width(), pixels.height())) / 4;
    const at::Tensor features = at::empty({count * places_, dimension_});
    std::vector<float> scratch(dimension);
    to = features.data_ptr<float>();
    const float* move = moves.data_ptr<float>();
    for (const cbir_local_keypoint& point : keypoints) {
      for (std::int64_t i = 0; i < places_; ++i, to += dimension_)
        pixels.write_between(point.x + std::clamp(move[i], -most, most),
                             point.y + std::clamp(move[places_ + i], -most, most), {to, dimension}, scratch);
      move += 2 * places_;
    }
    const at::Tensor out = sum_(feature_(features).view({count, places_ * dimension_}));
    normalise_rows(out, dimension_);
    return out;
  }

 private:
  /// Where a patch begins whose middle is the keypoint's pixel, as the original has it at the edges.
  static std::int64_t corner(float at, std::int64_t side) {
    const auto pixel = static_cast<std::int64_t>(at);
    return std::clamp<std::int64_t>(pixel - 1, 0, std::max<std::int64_t>(side - 1 - kPatch, 0));
  }

  static LinearSpec first_move(Parameters& parameters, const Layout& layout) {
    const ConvSpec conv =
        take_conv(parameters, "desc_head.offset_conv.0", {2 * layout.places, layout.dimension(), kPatch, kPatch});
    return {by_place(conv.weight), conv.bias, Activation::selu};
  }
  static LinearSpec second_move(Parameters& parameters, const Layout& layout) {
    const ConvSpec conv =
        take_conv(parameters, "desc_head.offset_conv.2", {2 * layout.places, 2 * layout.places, 1, 1});
    return {by_place(conv.weight), conv.bias, Activation::none};
  }
  static LinearSpec feature(Parameters& parameters, const Layout& layout) {
    const at::Tensor weight =
        parameters.take("desc_head.sf_conv.weight", {layout.dimension(), layout.dimension(), 1, 1});
    return {by_place(weight), {}, Activation::selu};
  }
  static LinearSpec sum(Parameters& parameters, const Layout& layout) {
    const at::Tensor weight =
        parameters.take("desc_head.agg_weights", {layout.places, layout.dimension(), layout.dimension()});
    return {
        weight.view({layout.places * layout.dimension(), layout.dimension()}).t().contiguous(), {}, Activation::none};
  }

  std::int64_t dimension_, places_;
  Linear move_first_, move_second_, feature_, sum_;
};

class Aliked : public FeatureNet {
 public:
  Aliked(const FeatureSettings& settings, Parameters& parameters) : Aliked(settings, parameters, layout_of(settings)) {}

  std::unique_ptr<FeatureNet> clone() const override { return std::make_unique<Aliked>(*this); }

  Features find(const cbir_net_picture& picture, std::size_t limit) const override {
    const Padded padded(picture);
    const Parts parts = run_blocks(padded.tensor(picture));
    const at::Tensor scores =
        score(parts, padded).narrow(2, padded.top, picture.height).narrow(3, padded.left, picture.width).contiguous();
    const std::int64_t width = picture.width, height = picture.height;
    const ScoreMap map{{scores.data_ptr<float>(), static_cast<std::size_t>(scores.numel())}, width, height};
    std::vector<Peak> peaks = local_maxima_again(map, settings_.threshold, settings_.radius);
    leave_border(peaks, map, settings_.border);
    keep_strongest(peaks, limit);
    Features out;
    for (const Peak& peak : peaks) out.keypoints.push_back(refined(map, peak));
    std::ranges::stable_sort(out.keypoints, std::ranges::greater(), &cbir_local_keypoint::score);
    if (out.keypoints.empty()) return out;
    const at::Tensor descriptors = descriptors_(out.keypoints, PixelFeatures(parts, picture, padded));
    out.descriptors.assign(descriptors.data_ptr<float>(), descriptors.data_ptr<float>() + descriptors.numel());
    return out;
  }

 private:
  Aliked(const FeatureSettings& settings, Parameters& parameters, const Layout& layout)
      : Aliked(settings, parameters, layout, layout.channels, layout.quarter()) {}

  Aliked(const FeatureSettings& settings, Parameters& parameters, const Layout& layout,
         const std::array<std::int64_t, 4>& c, std::int64_t q)
      : settings_(settings),
        block1_{Conv(normed(parameters, "block1.", "1", {c[0], 3, 3, 3})),
                Conv(normed(parameters, "block1.", "2", {c[0], c[0], 3, 3}))},
        block2_{Conv(normed(parameters, "block2.", "1", {c[1], c[0], 3, 3})),
                Conv(normed(parameters, "block2.", "2", {c[1], c[1], 3, 3}))},
        block3_{deformable(parameters, "block3.", "1", c[1], c[2]), deformable(parameters, "block3.", "2", c[2], c[2])},
        block4_{deformable(parameters, "block4.", "1", c[2], c[3]), deformable(parameters, "block4.", "2", c[3], c[3])},
        shortcut_{Conv(downsample(parameters, "block2.", c[0], c[1])),
                  Conv(downsample(parameters, "block3.", c[1], c[2])),
                  Conv(downsample(parameters, "block4.", c[2], c[3]))},
        part_{Conv(plain(parameters, "conv1", {q, c[0], 1, 1}, Activation::selu)),
              Conv(plain(parameters, "conv2", {q, c[1], 1, 1}, Activation::selu)),
              Conv(plain(parameters, "conv3", {q, c[2], 1, 1}, Activation::selu)),
              Conv(plain(parameters, "conv4", {q, c[3], 1, 1}, Activation::selu))},
        score_{Conv(plain(parameters, "score_head.2", {4, 8, 3, 3}, Activation::selu)),
               Conv(plain(parameters, "score_head.4", {4, 4, 3, 3}, Activation::selu)),
               Conv(plain(parameters, "score_head.6", {1, 4, 3, 3}, Activation::none))},
        descriptors_(parameters, layout) {
    const at::Tensor first = parameters.take("score_head.0.weight", {8, layout.dimension(), 1, 1});
    for (std::int64_t i = 0; i < 4; ++i) {
      ConvSpec spec;
      spec.weight = first.narrow(1, i * q, q).contiguous();
      score_of_part_.emplace_back(spec);
    }
    parameters.ignore_suffix(".num_batches_tracked");
  }

  Parts run_blocks(const at::Tensor& picture) const {
    const auto smaller = [](const at::Tensor& x, std::int64_t by) { return at::avg_pool2d(x, {by, by}, {by, by}); };
    const at::Tensor x1 = block1_[1](block1_[0](picture));
    at::Tensor x2 = smaller(x1, 2);
    x2 = block2_[1](block2_[0](x2), shortcut_[0](x2));
    at::Tensor x3 = smaller(x2, 4);
    x3 = block3_[1](block3_[0](x3, {}), shortcut_[1](x3));
    at::Tensor x4 = smaller(x3, 4);
    x4 = block4_[1](block4_[0](x4, {}), shortcut_[2](x4));
    Parts out = {.full = {}, .fractions = {part_[1](x2), part_[2](x3), part_[3](x4)}};
    for (std::int64_t row = 0; row < x1.size(2); row += kMultiple)
      out.full.push_back(part_[0](x1.narrow(2, row, kMultiple)));
    return out;
  }

  at::Tensor score(const Parts& parts, const Padded& padded) const {
    at::Tensor sum;
    for (std::size_t i = 0; i < parts.fractions.size(); ++i) {
      const at::Tensor part =
          at::upsample_bilinear2d(score_of_part_[i + 1](parts.fractions[i]), {padded.height, padded.width}, true);
      sum = sum.defined() ? sum.add_(part) : part;
    }
    for (std::size_t i = 0; i < parts.full.size(); ++i)
      sum.narrow(2, static_cast<std::int64_t>(i) * kMultiple, kMultiple).add_(score_of_part_[0](parts.full[i]));
    at::Tensor x = at::selu_(sum);
    for (const Conv& conv : score_) x = conv(x);
    return at::sigmoid(x);
  }

  /// A keypoint between pixels: the mean of those around the maximum, weighted by their scores' exponentials.
  cbir_local_keypoint refined(const ScoreMap& map, const Peak& peak) const {
    const int radius = settings_.radius;
    float total = 0, right = 0, down = 0;
    for (int y = -radius; y <= radius; ++y)
      for (int x = -radius; x <= radius; ++x) {
        const std::int64_t px = peak.x + x, py = peak.y + y;
        const bool inside = px >= 0 && py >= 0 && px < map.width && py < map.height;
        const float here = inside ? map.scores[static_cast<std::size_t>(py * map.width + px)] : 0;
        const float weight = std::exp((here - peak.score) / kTemperature);
        total += weight;
        right += weight * static_cast<float>(x);
        down += weight * static_cast<float>(y);
      }
    cbir_local_keypoint out = {.x = static_cast<float>(peak.x) + right / total,
                               .y = static_cast<float>(peak.y) + down / total,
                               .size = 0,
                               .angle = -1,
                               .score = 0};
    add_bilinear(FeatureMap(map.scores.data(), map.width, map.height, 1), out.x, out.y, {&out.score, 1});
    return out;
  }

  FeatureSettings settings_;
  std::array<Conv, 2> block1_, block2_;
  std::array<DeformableConv, 2> block3_, block4_;
  std::array<Conv, 3> shortcut_;  // of the last three blocks
  std::array<Conv, 4> part_;
  std::array<Conv, 3> score_;
  std::vector<Conv> score_of_part_;
  DescriptorHead descriptors_;
};

}  // namespace

std::unique_ptr<FeatureNet> make_aliked(const FeatureSettings& settings, Parameters& parameters) {
  auto net = std::make_unique<Aliked>(settings, parameters);
  parameters.finish();
  return net;
}

}  // namespace cbir::nets
