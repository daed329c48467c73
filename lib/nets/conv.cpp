#include "conv.hpp"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "kernel.hpp"

namespace cbir::nets {
namespace {

std::unique_ptr<Kernel> choose(const ConvSpec& spec, Precision precision, c10::Device device) {
  if (device.is_cpu() && (precision == Precision::float32 || cpu_has_bf16())) {
    if (auto kernel = make_onednn(spec, precision)) return kernel;
    if (precision == Precision::float32)
      if (auto kernel = make_xnnpack(spec)) return kernel;
  }
  return make_aten(spec, precision, device);
}

}  // namespace

Padding resolved(const ConvSpec& spec, at::IntArrayRef weight, std::int64_t height, std::int64_t width) {
  if (!spec.padding.same) return spec.padding;
  const auto total = [&](std::int64_t size, std::int64_t kernel) {
    const std::int64_t output = (size + spec.stride - 1) / spec.stride;
    return std::max<std::int64_t>((output - 1) * spec.stride + kernel - size, 0);
  };
  const std::int64_t rows = total(height, weight[2]), columns = total(width, weight[3]);
  return {rows / 2, columns / 2, rows - rows / 2, columns - columns / 2};
}

void fold(const BatchNorm& bn, ConvSpec& conv) {
  const at::Tensor scale = bn.weight.to(at::kDouble) / (bn.variance.to(at::kDouble) + bn.epsilon).sqrt();
  at::Tensor shift = bn.bias.to(at::kDouble) - bn.mean.to(at::kDouble) * scale;
  if (conv.bias.defined()) shift += conv.bias.to(at::kDouble) * scale;
  conv.bias = shift.to(at::kFloat);
  conv.weight = (conv.weight.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(at::kFloat);
}

Conv::Conv(const ConvSpec& spec, Precision precision, c10::Device device) : kernel_(choose(spec, precision, device)) {}
Conv::Conv(const Conv& other) : kernel_(other.kernel_->clone()) {}
Conv::Conv(Conv&&) noexcept = default;
Conv::~Conv() = default;

at::Tensor Conv::operator()(const at::Tensor& x) const { return kernel_->run(x, {}); }
at::Tensor Conv::operator()(const at::Tensor& x, const at::Tensor& residual) const { return kernel_->run(x, residual); }

}  // namespace cbir::nets
