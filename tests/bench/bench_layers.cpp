/// bench_layers [BATCH]: what each library makes of the layers of ResNet-50, MobileNetV3, EfficientNet-Lite0 and
/// ViT-B/32.
///
/// One thread, batch 1 unless given. Prints GFLOP/s of every library that has the layer and, last, of bfloat16;
/// "chosen" is what a Conv or Linear makes of it. This is what the choice in conv.cpp and linear.cpp stands on.

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include <tests/bench/fma_peak.hpp>

#include "../../lib/nets/kernel.hpp"

using namespace cbir::nets;

namespace {

struct Layer {
  const char* what;
  std::int64_t out, in, kernel, stride, size;  ///< of the input
  bool depthwise = false;
  Activation activation = Activation::relu;
};

constexpr Layer kConvolutions[] = {
    {"7x7 stem", 64, 3, 7, 2, 224},
    {"1x1 of 64", 64, 64, 1, 1, 56},
    {"3x3 of 64", 64, 64, 3, 1, 56},
    {"1x1 64 to 256", 256, 64, 1, 1, 56},
    {"1x1 256 to 64", 64, 256, 1, 1, 56},
    {"1x1 256 to 128", 128, 256, 1, 1, 56},
    {"3x3 of 128, stride 2", 128, 128, 3, 2, 56},
    {"1x1 128 to 512", 512, 128, 1, 1, 28},
    {"1x1 256 to 512, stride 2", 512, 256, 1, 2, 56},
    {"1x1 512 to 128", 128, 512, 1, 1, 28},
    {"3x3 of 128", 128, 128, 3, 1, 28},
    {"3x3 of 256, stride 2", 256, 256, 3, 2, 28},
    {"1x1 256 to 1024", 1024, 256, 1, 1, 14},
    {"1x1 1024 to 256", 256, 1024, 1, 1, 14},
    {"3x3 of 256", 256, 256, 3, 1, 14},
    {"3x3 of 512, stride 2", 512, 512, 3, 2, 14},
    {"1x1 512 to 2048", 2048, 512, 1, 1, 7},
    {"1x1 2048 to 512", 512, 2048, 1, 1, 7},
    {"3x3 of 512", 512, 512, 3, 1, 7},
    {"3x3 stem, ReLU6", 32, 3, 3, 2, 224, false, Activation::relu6},
    {"1x1 16 to 96", 96, 16, 1, 1, 112, false, Activation::relu6},
    {"depthwise 3x3 of 96, stride 2", 96, 96, 3, 2, 112, true, Activation::relu6},
    {"1x1 96 to 24", 24, 96, 1, 1, 56, false, Activation::none},
    {"depthwise 3x3 of 144", 144, 144, 3, 1, 56, true, Activation::relu6},
    {"1x1 24 to 144", 144, 24, 1, 1, 56, false, Activation::relu6},
    {"depthwise 5x5 of 240", 240, 240, 5, 1, 28, true, Activation::relu6},
    {"1x1 80 to 480", 480, 80, 1, 1, 14, false, Activation::relu6},
    {"depthwise 5x5 of 672", 672, 672, 5, 1, 14, true, Activation::relu6},
    {"1x1 672 to 112", 112, 672, 1, 1, 14, false, Activation::none},
    {"depthwise 5x5 of 1152", 1152, 1152, 5, 1, 7, true, Activation::relu6},
    {"1x1 1152 to 192", 192, 1152, 1, 1, 7, false, Activation::none},
    {"1x1 320 to 1280", 1280, 320, 1, 1, 7, false, Activation::relu6},
    {"1x1 160 to 960, hardswish", 960, 160, 1, 1, 7, false, Activation::hardswish},
    {"squeeze 672 to 168", 168, 672, 1, 1, 1},
    {"excite 168 to 672", 672, 168, 1, 1, 1, false, Activation::hardsigmoid},
    {"patches of ViT-B/32", 768, 3, 32, 32, 224, false, Activation::none},
};

struct Product {
  const char* what;
  std::int64_t out, in;
  Activation activation;
};
constexpr Product kProducts[] = {{"50 x 768 to 768", 768, 768, Activation::none},
                                 {"50 x 768 to 2304", 2304, 768, Activation::none},
                                 {"50 x 768 to 3072, QuickGELU", 3072, 768, Activation::quick_gelu},
                                 {"50 x 3072 to 768", 768, 3072, Activation::none}};

/// Calls a second, the best of several short runs.
double best_rate(const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  constexpr double kSeconds = 0.03;
  const auto time = [&](int times) {
    const auto start = Clock::now();
    for (int i = 0; i < times; ++i) call();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  time(2);
  const int times = 1 + static_cast<int>(kSeconds / time(1));
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) best = std::max(best, times / time(times));
  return best;
}

std::string rate(Kernel* kernel, const at::Tensor& x, double operations) {
  if (!kernel) return "-";
  return fmt::format("{:.0f}", operations * best_rate([&] { kernel->run(x, {}); }) / 1e9);
}

void print(const std::string& what, double operations, const std::vector<std::string>& rates) {
  fmt::print("{:32} {:8.1f}", what, operations / 1e6);
  for (const std::string& one : rates) fmt::print(" {:>8}", one);
  fmt::print("\n");
}

void measure(const Layer& layer, std::int64_t batch) {
  ConvSpec spec;
  spec.groups = layer.depthwise ? layer.in : 1;
  spec.weight = at::randn({layer.out, layer.in / spec.groups, layer.kernel, layer.kernel});
  spec.bias = at::randn({layer.out});
  spec.stride = layer.stride;
  if (layer.kernel != layer.stride) spec.padding = Padding::all(layer.kernel / 2);
  spec.activation = layer.activation;
  const at::Tensor x = at::randn({batch, layer.in, layer.size, layer.size}).contiguous(at::MemoryFormat::ChannelsLast);
  const Conv chosen(spec);
  const at::Tensor y = chosen(x);
  const double operations = 2.0 * static_cast<double>(y.numel()) * static_cast<double>(spec.weight[0].numel());
  const auto onednn = make_onednn(spec, Precision::float32), xnnpack = make_xnnpack(spec),
             aten = make_aten(spec, Precision::float32, c10::kCPU);
  const auto bfloat16 = cpu_has_bf16() ? make_onednn(spec, Precision::bfloat16) : nullptr;
  const at::Tensor rounded = x.to(at::kBFloat16);
  print(
      layer.what, operations,
      {fmt::format("{:.0f}", operations * best_rate([&] { chosen(x); }) / 1e9), rate(onednn.get(), x, operations),
       rate(xnnpack.get(), x, operations), rate(aten.get(), x, operations), rate(bfloat16.get(), rounded, operations)});
}

void measure(const Product& product, std::int64_t batch) {
  constexpr std::int64_t kTokens = 50;
  const LinearSpec spec{at::randn({product.out, product.in}), at::randn({product.out}), product.activation};
  const at::Tensor x = at::randn({batch * kTokens, product.in});
  const Linear chosen(spec);
  const double operations = 2.0 * static_cast<double>(x.numel() * product.out);
  const auto onednn = make_onednn(spec, Precision::float32), aten = make_aten(spec, Precision::float32, c10::kCPU);
  const auto bfloat16 = cpu_has_bf16() ? make_onednn(spec, Precision::bfloat16) : nullptr;
  print(product.what, operations,
        {fmt::format("{:.0f}", operations * best_rate([&] { chosen(x); }) / 1e9), rate(onednn.get(), x, operations),
         "-", rate(aten.get(), x, operations), rate(bfloat16.get(), x.to(at::kBFloat16), operations)});
}

}  // namespace

int main(int argc, char** argv) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // as the plug-in does
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  at::set_num_threads(1);
  const c10::InferenceMode inference;
  const std::int64_t batch = argc > 1 ? std::stoll(argv[1]) : 1;
  double peak = 0;
  for (int i = 0; i < 10; ++i) peak = std::max(peak, fma_peak(1));
  fmt::print("GFLOP/s, one thread, batch {}; float32 peak {:.0f}\n", batch, peak / 1e9);
  fmt::print("{:32} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "layer", "MFLOP", "chosen", "oneDNN", "XNNPACK", "LibTorch",
             "bfloat16");
  for (const Layer& layer : kConvolutions) measure(layer, batch);
  for (const Product& product : kProducts) measure(product, batch);
}
