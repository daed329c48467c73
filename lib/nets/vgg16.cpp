// VGG-16 (configuration D): Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
// Recognition" (2014). Parameter names are torchvision's, and so is the pooling to 7 x 7 positions before the first
// fully connected layer, which lets pictures be of any size.

#include <ATen/Functions.h>

#include <array>
#include <vector>

#include "conv.hpp"
#include "families.hpp"
#include "linear.hpp"
#include "loading.hpp"
#include "pooling.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kPooled = 512, kFc6 = 4096, kGrid = 7;
constexpr std::int64_t kSmallestSide = 32;  // what five poolings leave a position of
/// fc6 has 411 MB of weights, which take as long to read as a twentieth of the convolutions to compute.
constexpr std::int64_t kBatch = 8;

struct Layout {
  int convs;
  std::int64_t out;
};
constexpr std::array<Layout, 5> kStages = {{{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}};

struct Spec {
  std::vector<std::vector<ConvSpec>> stages;  // a pooling after each
  std::vector<LinearSpec> fc6;                // none or one
};

Spec load_spec(Parameters& parameters, bool fc6) {
  Spec spec;
  std::int64_t channels = 3;
  int part = 0;  // of the nn.Sequential, in which activations and poolings count
  for (const Layout& layout : kStages) {
    auto& stage = spec.stages.emplace_back();
    for (int i = 0; i < layout.convs; ++i, part += 2) {
      stage.push_back(take_conv(parameters, "features." + std::to_string(part), {layout.out, channels, 3, 3}));
      stage.back().padding = Padding::all(1);
      stage.back().activation = Activation::relu;
      channels = layout.out;
    }
    ++part;
  }
  if (fc6) {
    spec.fc6.push_back(take_linear(parameters, "classifier.0", kFc6, channels * kGrid * kGrid));
    spec.fc6.back().activation = Activation::relu;
  }
  parameters.ignore_prefix("classifier.");
  parameters.finish();
  return spec;
}

class VggRunner : public Runner {
 public:
  VggRunner(const Settings& settings, const Spec& spec) : settings_(settings) {
    for (const auto& stage : spec.stages) {
      auto& layers = stages_.emplace_back();
      for (const ConvSpec& conv : stage) layers.emplace_back(conv, settings.precision, settings.device);
    }
    for (const LinearSpec& linear : spec.fc6) fc6_.emplace_back(linear, settings.precision, settings.device);
  }

  at::Tensor run(const at::Tensor& pictures) const override {
    if (fc6_.empty()) return pool(features(pictures), settings_);
    // Only fc6 gains from many pictures; the convolutions' results fit a cache better one by one.
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < pictures.size(0); ++i) rows.push_back(flattened(features(pictures.narrow(0, i, 1))));
    return fc6_.front()(rows.size() == 1 ? rows.front() : at::cat(rows));
  }

 private:
  at::Tensor features(const at::Tensor& pictures) const {
    if (pictures.size(2) < kSmallestSide || pictures.size(3) < kSmallestSide)
      throw Error(ExitCode::incompatible, "vgg16 takes pictures of 32 x 32 pixels and more, this one has " +
                                              std::to_string(pictures.size(3)) + " x " +
                                              std::to_string(pictures.size(2)));
    at::Tensor x = pictures;
    for (const auto& stage : stages_) {
      for (const Conv& conv : stage) x = conv(x);
      x = at::max_pool2d(x, {2, 2}, {2, 2});
    }
    return x;
  }

  /// The columns of fc6's weights go by channel, then row, then column.
  static at::Tensor flattened(const at::Tensor& maps) {
    const bool fits = maps.size(2) == kGrid && maps.size(3) == kGrid;
    return (fits ? maps : at::adaptive_avg_pool2d(maps.to(at::kFloat), {kGrid, kGrid})).contiguous().flatten(1);
  }

  Settings settings_;
  std::vector<std::vector<Conv>> stages_;
  std::vector<Linear> fc6_;
};

class Vgg : public Model {
 public:
  Vgg(const Settings& settings, Parameters& parameters)
      : layers_(settings, load_spec(parameters, settings.layer == "fc6")),
        // Pictures that are not cropped have no size in common.
        batch_(settings.layer == "fc6" && settings.size != 0 ? kBatch : 1) {}
  Traits traits() const override { return {.batch = batch_, .any_size = true}; }
  std::unique_ptr<Runner> make_runner() const override { return std::make_unique<VggRunner>(layers_); }

 private:
  VggRunner layers_;  // a copy shares the packed weights
  std::int64_t batch_;
};

}  // namespace

std::unique_ptr<Model> make_vgg16(const Settings& settings, Parameters& parameters) {
  check_layer(settings, {{"pool5", kPooled}, {"fc6", kFc6}});
  if (settings.layer == "pool5") check_pool(settings);
  else check_no_pool(settings);
  return std::make_unique<Vgg>(settings, parameters);
}

}  // namespace cbir::nets
