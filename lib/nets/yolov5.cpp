#include "yolov5.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "conv.hpp"
#include "input.hpp"
#include "loading.hpp"

namespace cbir::nets {
namespace {

constexpr double kEpsilon = 1e-3;  // of batch norm
constexpr std::int64_t kAnchors = 3;
constexpr std::int64_t kBoxNumbers = 5;  // x, y, width, height, objectness; then the classes
constexpr std::int64_t kMostBlocks = 64;

enum class Kind { conv, c3, c3_plain, sppf, upsample, concat };  // c3_plain: without shortcuts

struct Layer {
  Kind kind;
  int other = -1;  // concat: what joins the layer before
  std::int64_t kernel = 1, stride = 1;
};

/// The layers in front of the last one, Detect, and which of them it looks at, with strides from 8 on.
struct Architecture {
  std::span<const Layer> layers;
  std::array<int, 4> levels;
  std::size_t level_count;
};

constexpr Layer down(std::int64_t kernel) { return {Kind::conv, -1, kernel, 2}; }
constexpr Layer narrow() { return {Kind::conv}; }
constexpr Layer join(int other) { return {Kind::concat, other}; }

constexpr std::array<Layer, 24> kP5 = {
    {{down(6)},  {down(3)},        {Kind::c3},       {down(3)},        {Kind::c3}, {down(3)},
     {Kind::c3}, {down(3)},        {Kind::c3},       {Kind::sppf},     {narrow()}, {Kind::upsample},
     {join(6)},  {Kind::c3_plain}, {narrow()},       {Kind::upsample}, {join(4)},  {Kind::c3_plain},
     {down(3)},  {join(14)},       {Kind::c3_plain}, {down(3)},        {join(10)}, {Kind::c3_plain}}};
constexpr std::array<Layer, 33> kP6 = {
    {{down(6)},  {down(3)},        {Kind::c3},       {down(3)},        {Kind::c3}, {down(3)},
     {Kind::c3}, {down(3)},        {Kind::c3},       {down(3)},        {Kind::c3}, {Kind::sppf},
     {narrow()}, {Kind::upsample}, {join(8)},        {Kind::c3_plain}, {narrow()}, {Kind::upsample},
     {join(6)},  {Kind::c3_plain}, {narrow()},       {Kind::upsample}, {join(4)},  {Kind::c3_plain},
     {down(3)},  {join(20)},       {Kind::c3_plain}, {down(3)},        {join(16)}, {Kind::c3_plain},
     {down(3)},  {join(12)},       {Kind::c3_plain}}};

constexpr Architecture kArchitectures[] = {{kP5, {17, 20, 23}, 3}, {kP6, {23, 26, 29, 32}, 4}};

std::string layer_name(std::size_t i) { return "model." + std::to_string(i) + "."; }

[[noreturn]] void incompatible(const std::string& message) { throw Error(ExitCode::incompatible, message); }

const Architecture& architecture_of(const Parameters& parameters) {
  if (!parameters.has("model.0.conv.weight"))
    incompatible(
        parameters.has("model.0.conv.conv.weight")
            ? "YOLOv5 of a release before 6.0, which begins with a layer Focus; train or convert it with 6.0 or later"
            : "parameter model.0.conv.weight is missing: not a YOLOv5 model of release 6.0 or later");
  for (const Architecture& architecture : kArchitectures)
    if (parameters.has(layer_name(architecture.layers.size()) + "anchors")) return architecture;
  incompatible("no layer Detect stands where YOLOv5 n to x (model.24) or n6 to x6 (model.33) have it");
}

/// A convolution, its batch norm (unless that was folded in before) and SiLU.
ConvSpec take_conv_norm(Parameters& parameters, const std::string& name, std::int64_t in, std::int64_t kernel) {
  const at::IntArrayRef shape = parameters.shape(name + "conv.weight");
  const std::int64_t out = shape.empty() ? 0 : shape[0];
  const std::array<std::int64_t, 4> wanted = {out, in, kernel, kernel};
  const bool folded = !parameters.has(name + "bn.weight") && parameters.has(name + "conv.bias");
  ConvSpec conv = folded ? take_conv(parameters, name + "conv", wanted)
                         : take_conv(parameters, name + "conv", name + "bn", wanted, kEpsilon);
  if (out == 0) incompatible("parameter " + name + "conv.weight has no rows");
  conv.padding = Padding::all(kernel == 6 ? 2 : kernel / 2);
  conv.activation = Activation::silu;
  return conv;
}

std::int64_t channels(const ConvSpec& conv) { return conv.weight.size(0); }

template <typename C>
struct Bottleneck {
  C first, second;
};

/// Two branches, one of them through bottlenecks, joined by a last convolution.
template <typename C>
struct C3 {
  C deep, straight, last;
  std::vector<Bottleneck<C>> blocks;
  bool shortcut = false;
};

/// Maxima over 5, 9 and 13 pixels, joined with what they are taken of.
template <typename C>
struct Sppf {
  C first, last;
};

struct Upsample {};
struct Concat {
  std::size_t other;
};

template <typename C>
using Step = std::variant<C, C3<C>, Sppf<C>, Upsample, Concat>;

/// Takes the layers one after the other, and knows how many channels each gives.
class Loader {
 public:
  Loader(Parameters& parameters, const Architecture& architecture)
      : parameters_(parameters), architecture_(architecture) {}

  std::vector<Step<ConvSpec>> load() {
    std::vector<Step<ConvSpec>> steps;
    for (std::size_t i = 0; i < architecture_.layers.size(); ++i) {
      steps.push_back(load(architecture_.layers[i], layer_name(i)));
      channels_.push_back(now_);
    }
    return steps;
  }

  std::int64_t channels_of(int layer) const { return channels_[static_cast<std::size_t>(layer)]; }

 private:
  ConvSpec conv(const std::string& name, std::int64_t in, std::int64_t kernel = 1) {
    return take_conv_norm(parameters_, name, in, kernel);
  }

  Step<ConvSpec> load(const Layer& layer, const std::string& name) {
    switch (layer.kind) {
      case Kind::conv: {
        ConvSpec out = conv(name, now_, layer.kernel);
        out.stride = layer.stride;
        now_ = channels(out);
        return out;
      }
      case Kind::c3:
      case Kind::c3_plain:
        return load_c3(name, layer.kind == Kind::c3);
      case Kind::sppf: {
        ConvSpec first = conv(name + "cv1.", now_);
        ConvSpec last = conv(name + "cv2.", 4 * channels(first));
        now_ = channels(last);
        return Sppf<ConvSpec>{std::move(first), std::move(last)};
      }
      case Kind::upsample:
        return Upsample{};
      case Kind::concat:
        now_ += channels_of(layer.other);
        return Concat{static_cast<std::size_t>(layer.other)};
    }
    return Upsample{};
  }

  C3<ConvSpec> load_c3(const std::string& name, bool shortcut) {
    C3<ConvSpec> out{conv(name + "cv1.", now_), conv(name + "cv2.", now_), {}, {}, shortcut};
    const std::int64_t inner = channels(out.deep);
    for (std::int64_t i = 0; i < kMostBlocks; ++i) {
      const std::string block = name + "m." + std::to_string(i) + ".";
      if (!parameters_.has(block + "cv1.conv.weight")) break;
      ConvSpec first = conv(block + "cv1.", inner);
      ConvSpec second = conv(block + "cv2.", channels(first), 3);
      if (channels(second) != inner) incompatible("parameter " + block + "cv2.conv.weight does not give what it got");
      second.residual_last = true;
      out.blocks.push_back({std::move(first), std::move(second)});
    }
    out.last = conv(name + "cv3.", inner + channels(out.straight));
    now_ = channels(out.last);
    return out;
  }

  Parameters& parameters_;
  const Architecture& architecture_;
  std::vector<std::int64_t> channels_;
  std::int64_t now_ = 3;
};

/// Channels of several NHWC tensors of one size, one behind the other.
at::Tensor joined(std::initializer_list<at::Tensor> parts) {
  const at::Tensor& first = *parts.begin();
  std::int64_t all = 0;
  for (const at::Tensor& part : parts) all += part.size(1);
  const std::int64_t pixels = first.size(2) * first.size(3);
  const auto item = static_cast<std::int64_t>(first.element_size());
  at::Tensor out = at::empty({1, all, first.size(2), first.size(3)}, first.options(), at::MemoryFormat::ChannelsLast);
  auto* to = static_cast<std::byte*>(out.data_ptr());
  std::int64_t before = 0;
  for (const at::Tensor& part : parts) {
    const at::Tensor dense = part.contiguous(at::MemoryFormat::ChannelsLast);
    const std::int64_t bytes = part.size(1) * item;
    const auto* from = static_cast<const std::byte*>(dense.data_ptr());
    for (std::int64_t i = 0; i < pixels; ++i)
      std::memcpy(to + i * all * item + before, from + i * bytes, static_cast<std::size_t>(bytes));
    before += bytes;
  }
  return out;
}

at::Tensor join_on(c10::Device device, std::initializer_list<at::Tensor> parts) {
  return device.is_cpu() ? joined(parts) : at::cat(at::ArrayRef<at::Tensor>(parts), 1);
}

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

struct Yolov5::Layers {
  Precision precision;
  c10::Device device;
  const Architecture* architecture;
  std::vector<Step<Conv>> steps;
  std::vector<Conv> heads;                  // of each level
  std::vector<std::vector<float>> anchors;  // of each level: width and height of each anchor, in pixels
  std::vector<bool> kept;                   // steps that a later one looks at
  std::int64_t classes = 0;

  std::int64_t stride(std::size_t level) const { return std::int64_t{8} << level; }

  Conv made(const ConvSpec& spec) const { return Conv(spec, precision, device); }

  Step<Conv> made(const Step<ConvSpec>& step) const {
    if (const auto* conv = std::get_if<ConvSpec>(&step)) return made(*conv);
    if (const auto* sppf = std::get_if<Sppf<ConvSpec>>(&step)) return Sppf<Conv>{made(sppf->first), made(sppf->last)};
    if (const auto* concat = std::get_if<Concat>(&step)) return *concat;
    if (std::holds_alternative<Upsample>(step)) return Upsample{};
    const auto& c3 = std::get<C3<ConvSpec>>(step);
    C3<Conv> out{made(c3.deep), made(c3.straight), made(c3.last), {}, c3.shortcut};
    for (const Bottleneck<ConvSpec>& block : c3.blocks) out.blocks.push_back({made(block.first), made(block.second)});
    return out;
  }

  at::Tensor run(const C3<Conv>& c3, const at::Tensor& x) const {
    at::Tensor deep = c3.deep(x);
    for (const Bottleneck<Conv>& block : c3.blocks) {
      const at::Tensor inner = block.first(deep);
      deep = c3.shortcut ? block.second(inner, deep) : block.second(inner);
    }
    return c3.last(join_on(device, {deep, c3.straight(x)}));
  }

  at::Tensor run(const Sppf<Conv>& sppf, const at::Tensor& x) const {
    const auto largest = [](const at::Tensor& of) { return at::max_pool2d(of, {5, 5}, {1, 1}, {2, 2}); };
    const at::Tensor first = sppf.first(x), five = largest(first), nine = largest(five);
    return sppf.last(join_on(device, {first, five, nine, largest(nine)}));
  }

  at::Tensor run(const Step<Conv>& step, const at::Tensor& x, const std::vector<at::Tensor>& before) const {
    if (const auto* conv = std::get_if<Conv>(&step)) return (*conv)(x);
    if (const auto* c3 = std::get_if<C3<Conv>>(&step)) return run(*c3, x);
    if (const auto* sppf = std::get_if<Sppf<Conv>>(&step)) return run(*sppf, x);
    if (const auto* concat = std::get_if<Concat>(&step)) return join_on(device, {x, before[concat->other]});
    return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  }

  /// Numbers of a level: height x width x anchors x (5 + classes).
  void decode(const at::Tensor& numbers, std::size_t level, float min_confidence,
              std::vector<cbir_detect_candidate>& out) const;
};

void Yolov5::Layers::decode(const at::Tensor& numbers, std::size_t level, float min_confidence,
                            std::vector<cbir_detect_candidate>& out) const {
  const std::int64_t height = numbers.size(2), width = numbers.size(3), columns = kBoxNumbers + classes;
  const float* all = numbers.data_ptr<float>();
  const auto scale = static_cast<float>(stride(level));
  for (std::int64_t anchor = 0; anchor < kAnchors; ++anchor)
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        const float* row = all + ((y * width + x) * kAnchors + anchor) * columns;
        const float objectness = sigmoid(row[4]);
        if (!(objectness > min_confidence)) continue;
        cbir_detect_candidate found{0, 0, 0, 0, -1, 0};
        for (std::int64_t c = 0; c < classes; ++c) {
          const float confidence = sigmoid(row[kBoxNumbers + c]) * objectness;
          if (confidence > found.confidence) {
            found.confidence = confidence;
            found.class_id = static_cast<std::uint32_t>(c);
          }
        }
        if (!(found.confidence > min_confidence)) continue;
        const float* size = anchors[level].data() + 2 * anchor;
        const float w = sigmoid(row[2]) * 2, h = sigmoid(row[3]) * 2;
        found.x = (sigmoid(row[0]) * 2 + (static_cast<float>(x) - 0.5F)) * scale;
        found.y = (sigmoid(row[1]) * 2 + (static_cast<float>(y) - 0.5F)) * scale;
        found.width = w * w * size[0];
        found.height = h * h * size[1];
        out.push_back(found);
      }
}

Yolov5::Yolov5(Parameters& parameters, Precision precision, c10::Device device)
    : layers_(std::make_unique<Layers>(Layers{precision, device, &architecture_of(parameters), {}, {}, {}, {}, 0})) {
  const Architecture& architecture = *layers_->architecture;
  Loader loader(parameters, architecture);
  for (const Step<ConvSpec>& step : loader.load()) layers_->steps.push_back(layers_->made(step));
  layers_->kept.resize(architecture.layers.size());

  const std::string detect = layer_name(architecture.layers.size());
  const auto levels = static_cast<std::int64_t>(architecture.level_count);
  const at::IntArrayRef shape = parameters.shape(detect + "m.0.weight");
  const std::int64_t rows = shape.empty() ? 0 : shape[0];
  if (rows % kAnchors != 0 || rows / kAnchors <= kBoxNumbers)
    incompatible("parameter " + detect + "m.0.weight gives " + std::to_string(rows) + " numbers a place; " +
                 std::to_string(kAnchors) + " times (5 + classes) were expected");
  layers_->classes = rows / kAnchors - kBoxNumbers;
  const at::Tensor anchors = parameters.take(detect + "anchors", {levels, kAnchors, 2}).contiguous();
  for (std::size_t level = 0; level < architecture.level_count; ++level) {
    const int from = architecture.levels[level];
    layers_->kept[static_cast<std::size_t>(from)] = true;
    const std::string name = detect + "m." + std::to_string(level);
    layers_->heads.push_back(layers_->made(take_conv(parameters, name, {rows, loader.channels_of(from), 1, 1})));
    const float* first = anchors.data_ptr<float>() + level * 2 * kAnchors;
    auto& sizes = layers_->anchors.emplace_back(first, first + 2 * kAnchors);
    for (float& size : sizes) size *= static_cast<float>(layers_->stride(level));
  }
  for (const Layer& layer : architecture.layers)
    if (layer.other >= 0) layers_->kept[static_cast<std::size_t>(layer.other)] = true;
  parameters.ignore_suffix(".num_batches_tracked");
  parameters.ignore_prefix(detect + "anchor_grid");  // what releases before 6.1 kept beside the anchors
  parameters.finish();
}

Yolov5::Yolov5(const Yolov5& other) : layers_(std::make_unique<Layers>(*other.layers_)) {}
Yolov5::~Yolov5() = default;

std::int64_t Yolov5::classes() const { return layers_->classes; }
std::int64_t Yolov5::stride() const { return layers_->stride(layers_->architecture->level_count - 1); }

std::vector<cbir_detect_candidate> Yolov5::run(const cbir_net_picture& picture, float min_confidence) const {
  if (picture.width % stride() != 0 || picture.height % stride() != 0 || picture.width == 0 || picture.height == 0)
    throw Error(ExitCode::internal, "a picture of " + std::to_string(picture.width) + " x " +
                                        std::to_string(picture.height) + " is no multiple of the stride");
  Settings input;
  input.std_dev = {255, 255, 255};
  at::Tensor x = normalised({&picture, 1}, input).to(layers_->device);
  std::vector<at::Tensor> kept(layers_->steps.size());
  for (std::size_t i = 0; i < layers_->steps.size(); ++i) {
    x = layers_->run(layers_->steps[i], x, kept);
    if (layers_->kept[i]) kept[i] = x;
  }
  std::vector<cbir_detect_candidate> out;
  for (std::size_t level = 0; level < layers_->heads.size(); ++level) {
    const auto from = static_cast<std::size_t>(layers_->architecture->levels[level]);
    const at::Tensor numbers =
        layers_->heads[level](kept[from]).to(at::kCPU, at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
    layers_->decode(numbers, level, min_confidence, out);
  }
  return out;
}

}  // namespace cbir::nets
