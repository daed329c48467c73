// MobileNetV3-Large: Howard et al., "Searching for MobileNetV3" (2019). Parameter names and details (batch norm's
// epsilon 1e-3, squeeze-and-excitation after the activation, with a hard sigmoid) are torchvision's; its weights V1 and
// V2 are of one architecture.

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <vector>

#include "conv.hpp"
#include "families.hpp"
#include "linear.hpp"
#include "loading.hpp"
#include "pooling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kPooled = 960, kClassifier = 1280;
constexpr std::int64_t kStem = 16;
constexpr double kEpsilon = 1e-3;  // of batch norm

struct Layout {
  std::int64_t kernel, stride, wide, out;  // wide: channels of the depthwise convolution
  bool excitation;
  Activation activation;
};
constexpr Activation kRelu = Activation::relu, kHardswish = Activation::hardswish;
constexpr std::array<Layout, 15> kBlocks = {{{3, 1, 16, 16, false, kRelu},
                                             {3, 2, 64, 24, false, kRelu},
                                             {3, 1, 72, 24, false, kRelu},
                                             {5, 2, 72, 40, true, kRelu},
                                             {5, 1, 120, 40, true, kRelu},
                                             {5, 1, 120, 40, true, kRelu},
                                             {3, 2, 240, 80, false, kHardswish},
                                             {3, 1, 200, 80, false, kHardswish},
                                             {3, 1, 184, 80, false, kHardswish},
                                             {3, 1, 184, 80, false, kHardswish},
                                             {3, 1, 480, 112, true, kHardswish},
                                             {3, 1, 672, 112, true, kHardswish},
                                             {5, 2, 672, 160, true, kHardswish},
                                             {5, 1, 960, 160, true, kHardswish},
                                             {5, 1, 960, 160, true, kHardswish}}};

/// Channels between the two layers of squeeze-and-excitation: a quarter, as a multiple of 8 that is less by a tenth at
/// most.
std::int64_t squeezed(std::int64_t wide) {
  const std::int64_t quarter = wide / 4, nearest = std::max<std::int64_t>(8, (quarter + 4) / 8 * 8);
  return 10 * nearest < 9 * quarter ? nearest + 8 : nearest;
}

/// Weights every channel by what all channels are on average.
template <typename L>
struct Excitation {
  L squeeze, excite;
};

/// An inverted residual: expand (1x1), depthwise, excite, project (1x1), and the input added where the shapes agree.
template <typename C, typename L>
struct Block {
  std::vector<C> expand;  // none or one
  C depthwise;
  std::vector<Excitation<L>> excitation;  // none or one
  C project;
  bool residual = false;
};

struct Spec {
  ConvSpec stem;
  std::vector<Block<ConvSpec, LinearSpec>> blocks;
  ConvSpec head;
  std::vector<LinearSpec> classifier;  // none or one
};

/// A 1x1 convolution of one position, which is a linear layer.
LinearSpec take_dense(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in,
                      Activation activation) {
  const ConvSpec conv = take_conv(parameters, name, {out, in, 1, 1});
  return {conv.weight.view({out, in}), conv.bias, activation};
}

Block<ConvSpec, LinearSpec> load_block(Parameters& parameters, const std::string& prefix, std::int64_t in,
                                       const Layout& layout) {
  int part = 0;  // of the nn.Sequential
  const auto conv = [&](at::IntArrayRef shape, Activation activation) {
    const std::string name = prefix + std::to_string(part++);
    ConvSpec out = take_conv(parameters, name + ".0", name + ".1", shape, kEpsilon);
    out.activation = activation;
    return out;
  };
  Block<ConvSpec, LinearSpec> block;
  if (layout.wide != in) block.expand.push_back(conv({layout.wide, in, 1, 1}, layout.activation));
  block.depthwise = conv({layout.wide, 1, layout.kernel, layout.kernel}, layout.activation);
  block.depthwise.groups = layout.wide;
  block.depthwise.stride = layout.stride;
  block.depthwise.padding = Padding::all(layout.kernel / 2);
  if (layout.excitation) {
    const std::string name = prefix + std::to_string(part++);
    const std::int64_t narrow = squeezed(layout.wide);
    block.excitation.push_back({take_dense(parameters, name + ".fc1", narrow, layout.wide, Activation::relu),
                                take_dense(parameters, name + ".fc2", layout.wide, narrow, Activation::hardsigmoid)});
  }
  block.project = conv({layout.out, layout.wide, 1, 1}, Activation::none);
  block.residual = layout.stride == 1 && in == layout.out;
  return block;
}

Spec load_spec(Parameters& parameters, bool classifier) {
  Spec spec;
  spec.stem = take_conv(parameters, "features.0.0", "features.0.1", {kStem, 3, 3, 3}, kEpsilon);
  spec.stem.stride = 2;
  spec.stem.padding = Padding::all(1);
  spec.stem.activation = Activation::hardswish;
  std::int64_t channels = kStem;
  for (const Layout& layout : kBlocks) {
    const std::string prefix = "features." + std::to_string(spec.blocks.size() + 1) + ".block.";
    spec.blocks.push_back(load_block(parameters, prefix, channels, layout));
    channels = layout.out;
  }
  spec.head = take_conv(parameters, "features.16.0", "features.16.1", {kPooled, channels, 1, 1}, kEpsilon);
  spec.head.activation = Activation::hardswish;
  if (classifier) {
    spec.classifier.push_back(take_linear(parameters, "classifier.0", kClassifier, kPooled));
    spec.classifier.back().activation = Activation::hardswish;
  }
  parameters.ignore_suffix(".num_batches_tracked");
  parameters.ignore_prefix("classifier.");
  parameters.finish();
  return spec;
}

at::Tensor run_block(const Block<Conv, Linear>& block, const at::Tensor& x) {
  at::Tensor y = x;
  for (const Conv& expand : block.expand) y = expand(y);
  y = block.depthwise(y);
  for (const Excitation<Linear>& excitation : block.excitation) {
    const at::Tensor weights = excitation.excite(excitation.squeeze(y.mean({2, 3})));
    y.mul_(weights.view({y.size(0), y.size(1), 1, 1}));
  }
  return block.residual ? block.project(y, x) : block.project(y);
}

class MobileNetRunner : public Runner {
 public:
  MobileNetRunner(const Settings& settings, const Spec& spec)
      : settings_(settings), stem_(made(spec.stem)), head_(made(spec.head)) {
    for (const auto& block : spec.blocks) {
      blocks_.push_back({{}, made(block.depthwise), {}, made(block.project), block.residual});
      for (const ConvSpec& expand : block.expand) blocks_.back().expand.push_back(made(expand));
      for (const auto& [squeeze, excite] : block.excitation)
        blocks_.back().excitation.push_back({made(squeeze), made(excite)});
    }
    for (const LinearSpec& classifier : spec.classifier) classifier_.push_back(made(classifier));
  }

  at::Tensor run(const at::Tensor& picture) const override {
    at::Tensor x = stem_(picture);
    for (const auto& block : blocks_) x = run_block(block, x);
    x = pool(head_(x), settings_);
    for (const Linear& classifier : classifier_) x = classifier(x);
    return x;
  }

 private:
  Conv made(const ConvSpec& spec) const { return Conv(spec, settings_.precision, settings_.device); }
  Linear made(const LinearSpec& spec) const { return Linear(spec, settings_.precision, settings_.device); }

  Settings settings_;
  Conv stem_;
  std::vector<Block<Conv, Linear>> blocks_;
  Conv head_;
  std::vector<Linear> classifier_;
};

class MobileNet : public Model {
 public:
  MobileNet(const Settings& settings, Parameters& parameters)
      : layers_(settings, load_spec(parameters, settings.layer == "classifier")) {}
  Traits traits() const override { return {.any_size = true}; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<MobileNetRunner>(layers_); }

 private:
  MobileNetRunner layers_;  // a copy shares the packed weights
};

}  // namespace

std::unique_ptr<Model> make_mobilenet_v3(const Settings& settings, Parameters& parameters) {
  check_layer(settings, {{"pooled", kPooled}, {"classifier", kClassifier}});
  check_pool(settings);
  return std::make_unique<MobileNet>(settings, parameters);
}

}  // namespace cbir::nets
