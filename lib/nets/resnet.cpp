// ResNet: He et al., "Deep Residual Learning for Image Recognition" (2015), as torchvision has it: the stride of a
// bottleneck is that of its 3x3 convolution, batch norm's epsilon is 1e-5. Parameter names are torchvision's, or, for
// networks of image retrieval, those of cnnimageretrieval-pytorch: the same layers counted in an nn.Sequential.

#include <ATen/Functions.h>

#include <array>
#include <map>
#include <vector>

#include "conv.hpp"
#include "families.hpp"
#include "loading.hpp"
#include "pooling.hpp"
#include "whitening.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kStem = 64;
constexpr double kEpsilon = 1e-5;  // of batch norm

struct Layout {
  std::array<int, 4> blocks;  // of each stage
  bool bottleneck;

  std::int64_t out(std::size_t stage) const { return (kStem << stage) * (bottleneck ? 4 : 1); }
};

const Layout& layout_of(const std::string& network) {
  static const std::map<std::string, Layout, std::less<>> layouts = {{"resnet18", {{2, 2, 2, 2}, false}},
                                                                     {"resnet34", {{3, 4, 6, 3}, false}},
                                                                     {"resnet50", {{3, 4, 6, 3}, true}},
                                                                     {"resnet101", {{3, 4, 23, 3}, true}}};
  return layouts.find(network.substr(0, network.find('-')))->second;
}

/// Where the layers' names differ.
struct Names {
  const char *stem, *stem_bn, *stage;
  std::size_t first_stage;
};
constexpr Names kTorchvision = {"conv1", "bn1", "layer", 1};
constexpr Names kSequential = {"features.0", "features.1", "features.", 4};  // after a ReLU and a pooling

/// Convolutions in a row; the input, brought into shape where it must be, is added to the last one's result.
template <typename C>
struct Block {
  std::vector<C> convs;
  std::vector<C> downsample;  // none or one
};

struct Spec {
  ConvSpec stem;
  std::vector<Block<ConvSpec>> blocks;
};

Block<ConvSpec> load_block(Parameters& parameters, const std::string& prefix, bool bottleneck, std::int64_t in,
                           std::int64_t narrow, std::int64_t out, std::int64_t stride) {
  Block<ConvSpec> block;
  const auto add = [&](std::int64_t kernel, std::int64_t from, std::int64_t to, std::int64_t by) {
    const std::string number = std::to_string(block.convs.size() + 1);
    ConvSpec& conv = block.convs.emplace_back(
        take_conv(parameters, prefix + "conv" + number, prefix + "bn" + number, {to, from, kernel, kernel}, kEpsilon));
    conv.stride = by;
    conv.padding = Padding::all(kernel / 2);
    conv.activation = Activation::relu;
  };
  if (bottleneck) {
    add(1, in, narrow, 1);
    add(3, narrow, narrow, stride);
    add(1, narrow, out, 1);
  } else {
    add(3, in, narrow, stride);
    add(3, narrow, out, 1);
  }
  if (stride != 1 || in != out) {
    const std::string name = prefix + "downsample.";
    block.downsample.push_back(take_conv(parameters, name + "0", name + "1", {out, in, 1, 1}, kEpsilon));
    block.downsample.back().stride = stride;
  }
  return block;
}

/// All layers but the pooling and what follows it.
Spec load_spec(Parameters& parameters, const Layout& layout, const Names& names) {
  Spec spec;
  spec.stem = take_conv(parameters, names.stem, names.stem_bn, {kStem, 3, 7, 7}, kEpsilon);
  spec.stem.stride = 2;
  spec.stem.padding = Padding::all(3);
  spec.stem.activation = Activation::relu;
  std::int64_t channels = kStem;
  for (std::size_t stage = 0; stage < layout.blocks.size(); ++stage) {
    const std::string prefix = names.stage + std::to_string(names.first_stage + stage) + ".";
    for (int i = 0; i < layout.blocks[stage]; ++i) {
      const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
      spec.blocks.push_back(load_block(parameters, prefix + std::to_string(i) + ".", layout.bottleneck, channels,
                                       kStem << stage, layout.out(stage), stride));
      channels = layout.out(stage);
    }
  }
  parameters.ignore_suffix(".num_batches_tracked");
  return spec;
}

at::Tensor run_block(const Block<Conv>& block, const at::Tensor& x) {
  at::Tensor y = x;
  for (std::size_t i = 0; i + 1 < block.convs.size(); ++i) y = block.convs[i](y);
  return block.convs.back()(y, block.downsample.empty() ? x : block.downsample.front()(x));
}

class ResNetRunner : public Runner {
 public:
  ResNetRunner(const Settings& settings, const Spec& spec) : settings_(settings), stem_(made(spec.stem)) {
    for (const Block<ConvSpec>& block : spec.blocks) {
      Block<Conv>& layers = blocks_.emplace_back();
      for (const ConvSpec& conv : block.convs) layers.convs.push_back(made(conv));
      for (const ConvSpec& conv : block.downsample) layers.downsample.push_back(made(conv));
    }
  }

  at::Tensor run(const at::Tensor& picture) const override {
    at::Tensor x = at::max_pool2d(stem_(picture), {3, 3}, {2, 2}, {1, 1});
    for (const Block<Conv>& block : blocks_) x = run_block(block, x);
    return pool(x, settings_);
  }

 private:
  Conv made(const ConvSpec& spec) const { return Conv(spec, settings_.precision, settings_.device); }

  Settings settings_;
  Conv stem_;
  std::vector<Block<Conv>> blocks_;
};

class RetrievalRunner : public ResNetRunner {
 public:
  RetrievalRunner(const Settings& settings, const Spec& spec, Whitening whitening)
      : ResNetRunner(settings, spec), whitening_(std::move(whitening)) {}

  at::Tensor run(const at::Tensor& picture) const override { return whitening_.of_scale(ResNetRunner::run(picture)); }
  at::Tensor finish(const at::Tensor& vectors) const override { return whitening_.of_average(vectors); }

 private:
  Whitening whitening_;
};

template <typename R>
class ResNet : public Model {
 public:
  explicit ResNet(R layers) : layers_(std::move(layers)) {}
  Traits traits() const override { return {.any_size = true}; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<R>(layers_); }

 private:
  R layers_;  // a copy shares the packed weights
};

void check(const Settings& settings, const Layout& layout) {
  check_layer(settings, {{"pooled", layout.out(layout.blocks.size() - 1)}});
  check_pool(settings);
}

}  // namespace

std::unique_ptr<Model> make_resnet(const Settings& settings, Parameters& parameters) {
  const Layout& layout = layout_of(settings.network);
  check(settings, layout);
  const Spec spec = load_spec(parameters, layout, kTorchvision);
  parameters.ignore_prefix("fc.");
  parameters.finish();
  return std::make_unique<ResNet<ResNetRunner>>(ResNetRunner(settings, spec));
}

std::unique_ptr<Model> make_retrieval_resnet(const Settings& settings, Parameters& parameters) {
  const Layout& layout = layout_of(settings.network);
  check(settings, layout);
  const Spec spec = load_spec(parameters, layout, kSequential);
  Settings learned = settings;
  learned.gem_p = take_exponent(parameters, settings);
  Whitening whitening(parameters, settings);
  parameters.finish();
  return std::make_unique<ResNet<RetrievalRunner>>(RetrievalRunner(learned, spec, std::move(whitening)));
}

}  // namespace cbir::nets
