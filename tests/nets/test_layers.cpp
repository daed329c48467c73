// Convolutions and linear layers, whatever library computes them here, against LibTorch in double precision.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <cmath>
#include <future>
#include <string>
#include <vector>

#include <tests/catch.hpp>

#include "../../lib/nets/conv.hpp"
#include "../../lib/nets/kernel.hpp"
#include "../../lib/nets/linear.hpp"

using namespace cbir::nets;

namespace {

constexpr Activation kActivations[] = {Activation::none,       Activation::relu,        Activation::relu6,
                                       Activation::hardswish,  Activation::hardsigmoid, Activation::gelu,
                                       Activation::quick_gelu, Activation::selu,        Activation::silu};

/// By definition, out of place, in the type of `x`.
at::Tensor reference(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x.clamp_min(0);
    case Activation::relu6:
      return x.clamp(0, 6);
    case Activation::hardswish:
      return x * (x + 3).clamp(0, 6) / 6;
    case Activation::hardsigmoid:
      return (x + 3).clamp(0, 6) / 6;
    case Activation::gelu:
      return x * 0.5 * (1 + at::erf(x / std::sqrt(2.0)));
    case Activation::quick_gelu:
      return x / (1 + at::exp(-1.702 * x));
    case Activation::selu:
      return 1.0507009873554805 * at::where(x > 0, x, 1.6732632423543772 * (at::exp(x) - 1));
    case Activation::silu:
      return x / (1 + at::exp(-x));
  }
  return {};
}

/// What the layer sees: in bfloat16 its inputs and weights are rounded, and the reference must start from the same.
at::Tensor seen(const at::Tensor& x, Precision precision) { return x.to(scalar_type(precision)).to(at::kDouble); }

at::Tensor expected(const ConvSpec& spec, const at::Tensor& x, const at::Tensor& residual, Precision precision) {
  const Padding pad = resolved(spec, spec.weight.sizes(), x.size(2), x.size(3));
  const at::Tensor padded = at::constant_pad_nd(seen(x, precision), {pad.left, pad.right, pad.top, pad.bottom});
  at::Tensor y =
      at::conv2d(padded, seen(spec.weight, precision), spec.bias.defined() ? spec.bias.to(at::kDouble) : at::Tensor(),
                 at::IntArrayRef{spec.stride, spec.stride}, at::IntArrayRef{0, 0}, at::IntArrayRef{1, 1}, spec.groups);
  if (residual.defined() && !spec.residual_last) y = y + seen(residual, precision);
  y = reference(spec.activation, y);
  return residual.defined() && spec.residual_last ? y + seen(residual, precision) : y;
}

at::Tensor expected(const LinearSpec& spec, const at::Tensor& x, const at::Tensor& residual, Precision precision) {
  at::Tensor y = at::linear(seen(x, precision), seen(spec.weight, precision));
  if (spec.bias.defined()) y = y + spec.bias.to(at::kDouble);
  if (residual.defined()) y = y + seen(residual, precision);
  return reference(spec.activation, y);
}

/// The largest difference, relative to the largest value.
double difference(const at::Tensor& actual, const at::Tensor& wanted) {
  REQUIRE(actual.sizes() == wanted.sizes());
  const double scale = wanted.abs().max().item<double>() + 1e-6;
  return (actual.to(at::kDouble) - wanted).abs().max().item<double>() / scale;
}

/// bfloat16 has 8 significant bits, and the result is rounded once; after a residual, implementations round twice.
double tolerance(Precision precision) { return precision == Precision::bfloat16 ? 1.0 / 128 : 1e-5; }

std::vector<Precision> precisions() {
  if (cpu_has_bf16()) return {Precision::float32, Precision::bfloat16};
  return {Precision::float32};
}

at::Tensor nhwc(at::IntArrayRef sizes, Precision precision) {
  return at::randn(sizes).to(scalar_type(precision)).contiguous(at::MemoryFormat::ChannelsLast);
}

ConvSpec conv_spec(at::IntArrayRef weight, std::int64_t stride, Padding padding, std::int64_t groups = 1) {
  ConvSpec spec;
  spec.weight = at::randn(weight) / std::sqrt(static_cast<double>(weight[1] * weight[2] * weight[3]));
  spec.bias = at::randn({weight[0]});
  spec.stride = stride;
  spec.padding = padding;
  spec.groups = groups;
  return spec;
}

LinearSpec linear_spec(std::int64_t out, std::int64_t in, Activation activation = Activation::none) {
  return {at::randn({out, in}) / std::sqrt(static_cast<double>(in)), at::randn({out}), activation};
}

/// One thread, as in the plug-in, and the same numbers in every run.
struct Fixture {
  Fixture() {
    at::set_num_threads(1);
    at::manual_seed(7);
  }
  c10::InferenceMode inference;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a convolution of every kind that networks have equals the definition") {
  struct Case {
    const char* what;
    std::vector<std::int64_t> weight;
    std::int64_t stride;
    Padding padding;
    std::int64_t groups, height, width;
  };
  const Case cases[] = {
      {"3x3", {64, 32, 3, 3}, 1, Padding::all(1), 1, 14, 14},
      {"3x3, odd sizes and channels", {19, 5, 3, 3}, 1, Padding::all(1), 1, 13, 9},
      {"3x3 of stride 2", {48, 64, 3, 3}, 2, Padding::all(1), 1, 15, 28},
      {"1x1", {96, 24, 1, 1}, 1, {}, 1, 17, 5},
      {"1x1 of stride 2", {128, 64, 1, 1}, 2, {}, 1, 14, 14},
      {"1x1 on one pixel", {72, 24, 1, 1}, 1, {}, 1, 1, 1},
      {"7x7 stem", {64, 3, 7, 7}, 2, Padding::all(3), 1, 37, 41},
      {"patches", {40, 3, 16, 16}, 16, {}, 1, 48, 32},
      {"depthwise 3x3", {72, 1, 3, 3}, 1, Padding::all(1), 72, 12, 11},
      {"depthwise 5x5 of stride 2", {33, 1, 5, 5}, 2, Padding::all(2), 33, 13, 14},
      {"grouped", {64, 8, 3, 3}, 1, Padding::all(1), 4, 9, 9},
      {"padded after only", {32, 16, 3, 3}, 2, {0, 0, 1, 1}, 1, 16, 16},
      {"depthwise, padded more after", {96, 1, 5, 5}, 2, {1, 1, 2, 2}, 96, 16, 16},
      {"'SAME' by the size", {32, 8, 5, 5}, 2, Padding::same_size(), 1, 16, 15},
      {"'SAME' at stride 1, depthwise", {24, 1, 3, 3}, 1, Padding::same_size(), 24, 9, 8},
      {"padded differently on all sides", {24, 16, 3, 3}, 1, {0, 1, 2, 3}, 1, 8, 10},
  };
  for (const Case& c : cases)
    for (const Precision precision : precisions()) {
      INFO(c.what << (precision == Precision::bfloat16 ? ", bfloat16" : ""));
      ConvSpec spec = conv_spec(c.weight, c.stride, c.padding, c.groups);
      spec.activation = Activation::relu6;
      const Conv conv(spec, precision);
      for (const std::int64_t n : {1, 3}) {
        const at::Tensor x = nhwc({n, c.weight[1] * c.groups, c.height, c.width}, precision);
        const at::Tensor y = conv(x);
        CHECK(y.scalar_type() == scalar_type(precision));
        CHECK(y.is_contiguous(at::MemoryFormat::ChannelsLast));
        CHECK(difference(y, expected(spec, x, {}, precision)) < tolerance(precision));
      }
    }
}

TEST_CASE_METHOD(Fixture, "activations and residuals of convolutions") {
  const std::array<std::int64_t, 4> weights[] = {{32, 16, 3, 3}, {32, 16, 1, 1}, {16, 1, 3, 3}};
  for (const auto& weight : weights)
    for (const Activation activation : kActivations)
      for (const Precision precision : precisions()) {
        INFO("kernel " << weight[2] << ", channels " << weight[1] << ", activation " << static_cast<int>(activation));
        ConvSpec spec = conv_spec(weight, 1, Padding::all(weight[2] / 2), 16 / weight[1]);
        spec.activation = activation;
        const Conv conv(spec, precision);
        const at::Tensor x = nhwc({2, 16, 7, 9}, precision), residual = nhwc({2, weight[0], 7, 9}, precision);
        const at::Tensor plain = expected(spec, x, {}, precision), summed = expected(spec, x, residual, precision);
        CHECK(difference(conv(x), plain) < tolerance(precision));
        CHECK(difference(conv(x, residual.clone()), summed) < tolerance(precision));
        CHECK(difference(conv(x), plain) < tolerance(precision));
        spec.residual_last = true;
        CHECK(difference(Conv(spec, precision)(x, residual.clone()), expected(spec, x, residual, precision)) <
              tolerance(precision));
      }
}

TEST_CASE_METHOD(Fixture, "linear layers with every activation, with and without bias and residual") {
  for (const Activation activation : kActivations)
    for (const Precision precision : precisions())
      for (const std::int64_t rows : {1, 7, 50}) {
        INFO("activation " << static_cast<int>(activation) << ", rows " << rows);
        LinearSpec spec = linear_spec(100, 67, activation);
        if (rows == 7) spec.bias.reset();
        const Linear linear(spec, precision);
        const at::Tensor x = at::randn({rows, 67}).to(scalar_type(precision));
        const at::Tensor residual = at::randn({rows, 100}).to(scalar_type(precision));
        const at::Tensor y = linear(x);
        CHECK(y.scalar_type() == scalar_type(precision));
        CHECK(difference(y, expected(spec, x, {}, precision)) < tolerance(precision));
        CHECK(difference(linear(x, residual.clone()), expected(spec, x, residual, precision)) < tolerance(precision));
      }
}

TEST_CASE_METHOD(Fixture, "all but the last dimension of a linear layer's input are rows") {
  const LinearSpec spec = linear_spec(24, 16);
  const at::Tensor x = at::randn({2, 5, 16});
  const at::Tensor y = Linear(spec)(x);
  CHECK(y.sizes() == at::IntArrayRef({2, 5, 24}));
  CHECK(difference(y, expected(spec, x, {}, Precision::float32)) < 1e-5);
}

TEST_CASE_METHOD(Fixture, "a residual that is the input itself") {
  const ConvSpec conv = conv_spec({16, 16, 3, 3}, 1, Padding::all(1));
  const at::Tensor picture = nhwc({1, 16, 8, 8}, Precision::float32);
  const at::Tensor wanted = expected(conv, picture, picture, Precision::float32);
  CHECK(difference(Conv(conv)(picture, picture), wanted) < 1e-5);

  const LinearSpec linear = linear_spec(16, 16);
  const at::Tensor rows = at::randn({40, 16});
  const at::Tensor sum = expected(linear, rows, rows, Precision::float32);
  CHECK(difference(Linear(linear)(rows, rows), sum) < 1e-5);
}

TEST_CASE_METHOD(Fixture, "inputs in other layouts and types are brought into form") {
  const ConvSpec spec = conv_spec({24, 8, 3, 3}, 1, Padding::all(1));
  const at::Tensor wide = at::randn({1, 16, 10, 10});  // NCHW
  const at::Tensor x = wide.narrow(1, 4, 8);
  for (const Precision precision : precisions()) {
    const at::Tensor y = Conv(spec, precision)(x);
    CHECK(y.scalar_type() == scalar_type(precision));
    CHECK(difference(y, expected(spec, x, {}, precision)) < tolerance(precision));
  }
}

TEST_CASE_METHOD(Fixture, "a large residual is added strip by strip") {
  ConvSpec spec = conv_spec({256, 16, 1, 1}, 1, {});
  spec.activation = Activation::relu;
  for (const Precision precision : precisions())
    for (const std::int64_t height : {36, 37}) {  // some strips of several rows; one row each
      const at::Tensor x = nhwc({2, 16, height, 32}, precision), residual = nhwc({2, 256, height, 32}, precision);
      CHECK(difference(Conv(spec, precision)(x, residual.clone()), expected(spec, x, residual, precision)) <
            tolerance(precision));
    }
}

TEST_CASE_METHOD(Fixture, "more shapes than a layer remembers") {
  const ConvSpec spec = conv_spec({8, 8, 3, 3}, 1, Padding::all(1));
  const Conv conv(spec);
  for (const int round : {1, 2})
    for (std::int64_t size = 4; size < 24; ++size) {
      INFO("round " << round << ", size " << size);
      const at::Tensor x = nhwc({1, 8, size, size + 1}, Precision::float32);
      CHECK(difference(conv(x), expected(spec, x, {}, Precision::float32)) < 1e-5);
    }
}

TEST_CASE_METHOD(Fixture, "copies work in other threads at the same time") {
  const ConvSpec spec = conv_spec({32, 32, 3, 3}, 1, Padding::all(1));
  const LinearSpec head = linear_spec(10, 32);
  const Conv conv(spec);
  const Linear linear(head);
  const at::Tensor x = nhwc({1, 32, 20, 20}, Precision::float32);
  const at::Tensor wanted = linear(conv(x).mean({2, 3}));
  std::vector<std::future<bool>> threads;
  for (int i = 0; i < 3; ++i)
    threads.push_back(std::async(std::launch::async, [&x, &wanted, my_conv = conv, my_linear = linear] {
      at::set_num_threads(1);
      const c10::InferenceMode here;
      for (int round = 0; round < 50; ++round)
        if (!my_linear(my_conv(x).mean({2, 3})).equal(wanted)) return false;
      return true;
    }));
  for (auto& thread : threads) CHECK(thread.get());
}

TEST_CASE_METHOD(Fixture, "an input of the wrong size is refused") {
  const Conv conv(conv_spec({8, 8, 3, 3}, 1, Padding::all(1)));
  CHECK_THROWS_AS(conv(nhwc({1, 7, 9, 9}, Precision::float32)), c10::Error);
  const Linear linear(linear_spec(8, 16));
  CHECK_THROWS_AS(linear(at::randn({3, 15})), c10::Error);
}

TEST_CASE("TensorFlow's 'SAME' padding follows the size of the picture") {
  ConvSpec spec;
  spec.stride = 2;
  spec.padding = Padding::same_size();
  CHECK(resolved(spec, {1, 1, 3, 3}, 224, 225) == Padding{0, 1, 1, 1});
  CHECK(resolved(spec, {1, 1, 5, 5}, 112, 113) == Padding{1, 2, 2, 2});
  spec.stride = 1;
  CHECK(resolved(spec, {1, 1, 3, 3}, 7, 8) == Padding::all(1));
}

TEST_CASE_METHOD(Fixture, "every library that can compute a layer agrees with the definition") {
  for (const Padding padding : {Padding{0, 0, 1, 1}, Padding::all(1), Padding::same_size()}) {
    ConvSpec spec = conv_spec({32, 16, 3, 3}, 2, padding);
    spec.activation = Activation::relu;
    spec.residual_last = padding == Padding::all(1);
    const at::Tensor x = nhwc({2, 16, 12, 12}, Precision::float32), residual = nhwc({2, 32, 6, 6}, Precision::float32);
    const at::Tensor plain = expected(spec, x, {}, Precision::float32);
    const at::Tensor summed = expected(spec, x, residual, Precision::float32);
    std::unique_ptr<Kernel> kernels[] = {make_aten(spec, Precision::float32, c10::kCPU), make_xnnpack(spec),
                                         make_onednn(spec, Precision::float32)};
    for (const auto& kernel : kernels) {
      if (!kernel) continue;
      for (int round = 0; round < 2; ++round) {
        CHECK(difference(kernel->run(x, {}), plain) < 1e-5);
        CHECK(difference(kernel->run(x, residual.clone()), summed) < 1e-5);
      }
    }
  }
}

TEST_CASE_METHOD(Fixture, "batch norm folds into a convolution with a bias of its own") {
  ConvSpec spec = conv_spec({8, 4, 3, 3}, 1, Padding::all(1));
  const ConvSpec original = spec;
  const BatchNorm bn{at::rand({8}) + 0.5, at::randn({8}), at::randn({8}), at::rand({8}) + 0.1, 1e-3};
  fold(bn, spec);
  const at::Tensor x = nhwc({1, 4, 6, 6}, Precision::float32);
  const auto column = [](const at::Tensor& t) { return t.to(at::kDouble).view({1, -1, 1, 1}); };
  const at::Tensor y = expected(original, x, {}, Precision::float32);
  const at::Tensor wanted =
      (y - column(bn.mean)) / (column(bn.variance) + 1e-3).sqrt() * column(bn.weight) + column(bn.bias);
  CHECK(difference(Conv(spec)(x), wanted) < 1e-5);
}
