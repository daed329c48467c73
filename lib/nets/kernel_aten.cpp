#include <ATen/Functions.h>

#include <array>

#include "kernel.hpp"

namespace cbir::nets {
namespace {

at::Tensor finish(at::Tensor y, const at::Tensor& residual, Activation activation, bool residual_last = false) {
  if (residual.defined() && !residual_last) y.add_(residual);
  apply(activation, y);
  if (residual.defined() && residual_last) y.add_(residual);
  return y;
}

class AtenConv : public Kernel {
 public:
  AtenConv(const ConvSpec& spec, Precision precision, c10::Device device) : spec_(spec) {
    const auto options = at::TensorOptions().device(device).dtype(scalar_type(precision));
    spec_.weight = spec.weight.to(options, false, false, at::MemoryFormat::ChannelsLast);
    if (spec.bias.defined()) spec_.bias = spec.bias.to(options);
  }

  at::Tensor run(const at::Tensor& x, const at::Tensor& residual) override {
    const Padding pad = resolved(spec_, spec_.weight.sizes(), x.size(2), x.size(3));
    std::array<std::int64_t, 2> sides = {pad.top, pad.left};
    at::Tensor input = x.to(spec_.weight.scalar_type());
    if (!pad.symmetric()) {
      input = at::constant_pad_nd(input, {pad.left, pad.right, pad.top, pad.bottom});
      sides = {0, 0};
    }
    return finish(at::conv2d(input, spec_.weight, spec_.bias, spec_.stride, sides, 1, spec_.groups), residual,
                  spec_.activation, spec_.residual_last);
  }

  std::unique_ptr<Kernel> clone() const override { return std::make_unique<AtenConv>(*this); }

 private:
  ConvSpec spec_;
};

class AtenLinear : public Kernel {
 public:
  AtenLinear(const LinearSpec& spec, Precision precision, c10::Device device) : spec_(spec) {
    const auto options = at::TensorOptions().device(device).dtype(scalar_type(precision));
    spec_.weight = spec.weight.to(options);
    if (spec.bias.defined()) spec_.bias = spec.bias.to(options);
  }

  at::Tensor run(const at::Tensor& x, const at::Tensor& residual) override {
    return finish(at::linear(x.to(spec_.weight.scalar_type()), spec_.weight, spec_.bias), residual, spec_.activation);
  }

  std::unique_ptr<Kernel> clone() const override { return std::make_unique<AtenLinear>(*this); }

 private:
  LinearSpec spec_;
};

}  // namespace

std::unique_ptr<Kernel> make_aten(const ConvSpec& spec, Precision precision, c10::Device device) {
  return std::make_unique<AtenConv>(spec, precision, device);
}

std::unique_ptr<Kernel> make_aten(const LinearSpec& spec, Precision precision, c10::Device device) {
  return std::make_unique<AtenLinear>(spec, precision, device);
}

}  // namespace cbir::nets
