// EfficientNet-Lite0: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in
// the variant without squeeze-and-excitation and with ReLU6 that its authors published as EfficientNet-Lite. Parameter
// names are those of the efficientnet_pytorch checkpoints; padding is TensorFlow's 'SAME', batch norm's epsilon 1e-3.

#include <array>
#include <vector>

#include "conv.hpp"
#include "families.hpp"
#include "loading.hpp"
#include "pooling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kDimension = 1280;
constexpr std::int64_t kStem = 32;
constexpr double kEpsilon = 1e-3;  // of batch norm

struct Stage {
  int repeat;
  std::int64_t kernel, stride, expansion, in, out;
};
constexpr std::array<Stage, 7> kStages = {{{1, 3, 1, 1, 32, 16},
                                           {2, 3, 2, 6, 16, 24},
                                           {2, 5, 2, 6, 24, 40},
                                           {3, 3, 2, 6, 40, 80},
                                           {3, 5, 1, 6, 80, 112},
                                           {4, 5, 2, 6, 112, 192},
                                           {1, 3, 1, 6, 192, 320}}};

/// An inverted residual: expand (1x1), depthwise, project (1x1), and the input added where the shapes agree.
template <typename C>
struct Block {
  std::vector<C> expand;  // none or one
  C depthwise;
  C project;
  bool residual = false;
};

struct Spec {
  ConvSpec stem;
  std::vector<Block<ConvSpec>> blocks;
  ConvSpec head;
};

Block<ConvSpec> load_block(Parameters& parameters, const std::string& prefix, const Stage& stage, std::int64_t in,
                           std::int64_t stride) {
  const auto conv = [&](const char* name, const char* bn, at::IntArrayRef shape) {
    return take_conv(parameters, prefix + name, prefix + bn, shape, kEpsilon);
  };
  Block<ConvSpec> block;
  const std::int64_t wide = in * stage.expansion;
  if (stage.expansion != 1) {
    block.expand.push_back(conv("_expand_conv", "_bn0", {wide, in, 1, 1}));
    block.expand.back().activation = Activation::relu6;
  }
  block.depthwise = conv("_depthwise_conv", "_bn1", {wide, 1, stage.kernel, stage.kernel});
  block.depthwise.groups = wide;
  block.depthwise.stride = stride;
  block.depthwise.padding = Padding::same_size();
  block.depthwise.activation = Activation::relu6;
  block.project = conv("_project_conv", "_bn2", {stage.out, wide, 1, 1});
  block.residual = stride == 1 && in == stage.out;
  return block;
}

Spec load_spec(Parameters& parameters) {
  Spec spec;
  spec.stem = take_conv(parameters, "_conv_stem", "_bn0", {kStem, 3, 3, 3}, kEpsilon);
  spec.stem.stride = 2;
  spec.stem.padding = Padding::same_size();
  spec.stem.activation = Activation::relu6;
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.repeat; ++i) {
      const std::int64_t in = i == 0 ? stage.in : stage.out, stride = i == 0 ? stage.stride : 1;
      const std::string prefix = "_blocks." + std::to_string(spec.blocks.size()) + ".";
      spec.blocks.push_back(load_block(parameters, prefix, stage, in, stride));
    }
  }
  spec.head = take_conv(parameters, "_conv_head", "_bn1", {kDimension, kStages.back().out, 1, 1}, kEpsilon);
  spec.head.activation = Activation::relu6;
  parameters.ignore_suffix(".num_batches_tracked");
  parameters.ignore_prefix("_fc.");
  parameters.finish();
  return spec;
}

at::Tensor run_block(const Block<Conv>& block, const at::Tensor& x) {
  at::Tensor y = x;
  for (const Conv& expand : block.expand) y = expand(y);
  y = block.depthwise(y);
  return block.residual ? block.project(y, x) : block.project(y);
}

class EfficientNetRunner : public Runner {
 public:
  EfficientNetRunner(const Settings& settings, const Spec& spec)
      : settings_(settings), stem_(made(spec.stem)), head_(made(spec.head)) {
    for (const Block<ConvSpec>& block : spec.blocks) {
      blocks_.push_back({{}, made(block.depthwise), made(block.project), block.residual});
      for (const ConvSpec& expand : block.expand) blocks_.back().expand.push_back(made(expand));
    }
  }

  at::Tensor run(const at::Tensor& picture) const override {
    at::Tensor x = stem_(picture);
    for (const Block<Conv>& block : blocks_) x = run_block(block, x);
    return pool(head_(x), settings_);
  }

 private:
  Conv made(const ConvSpec& spec) const { return Conv(spec, settings_.precision, settings_.device); }

  Settings settings_;
  Conv stem_;
  std::vector<Block<Conv>> blocks_;
  Conv head_;
};

class EfficientNet : public Model {
 public:
  EfficientNet(const Settings& settings, Parameters& parameters) : layers_(settings, load_spec(parameters)) {}
  Traits traits() const override { return {.any_size = true}; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<EfficientNetRunner>(layers_); }

 private:
  EfficientNetRunner layers_;  // a copy shares the packed weights
};

}  // namespace

std::unique_ptr<Model> make_efficientnet_lite0(const Settings& settings, Parameters& parameters) {
  check_layer(settings, {{"pooled", kDimension}});
  check_pool(settings);
  return std::make_unique<EfficientNet>(settings, parameters);
}

}  // namespace cbir::nets
