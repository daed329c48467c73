#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>

#include <optional>
#include <vector>

#include "kernel.hpp"

namespace cbir::nets {
namespace {

struct Operators {
  c10::OperatorHandle pack, run;
};

/// The operators behind torch.utils.mobile_optimizer; part of every LibTorch that was built with XNNPACK.
const std::optional<Operators>& operators() {
  static const std::optional<Operators> found = []() -> std::optional<Operators> {
    auto& dispatcher = c10::Dispatcher::singleton();
    const auto pack = dispatcher.findSchema({"prepacked::conv2d_clamp_prepack", ""});
    const auto run = dispatcher.findSchema({"prepacked::conv2d_clamp_run", ""});
    if (!pack || !run) return std::nullopt;
    return Operators{*pack, *run};
  }();
  return found;
}

using Pair = std::vector<std::int64_t>;

/// XNNPACK's operators hold the state of the running call, so a clone packs again.
class XnnpackConv : public Kernel {
 public:
  explicit XnnpackConv(const ConvSpec& spec) : spec_(spec) {
    if (!spec.bias.defined()) spec_.bias = at::zeros({spec.weight.size(0)});
    // At stride 1 'SAME' does not depend on the size.
    const bool known = !spec.padding.same || spec.stride == 1;
    const Padding pad =
        known ? resolved(spec, spec.weight.sizes(), spec.weight.size(2), spec.weight.size(3)) : Padding{};
    if (pad.symmetric()) packed_padding_ = pad;
  }

  at::Tensor run(const at::Tensor& x, const at::Tensor& residual) override {
    const std::int64_t in = spec_.weight.size(1) * spec_.groups;
    TORCH_CHECK(x.dim() == 4 && x.size(1) == in, "a convolution of ", in, " channels was given ", x.sizes());
    const Padding pad = resolved(spec_, spec_.weight.sizes(), x.size(2), x.size(3));
    const at::Tensor padded =
        pad == packed_padding_ ? x : at::constant_pad_nd(x, {pad.left, pad.right, pad.top, pad.bottom});
    // What it can fuse are bounds; the other activations, and all after a residual, follow in place.
    const bool relu6 = spec_.activation == Activation::relu6, relu = spec_.activation == Activation::relu;
    const bool bounded = !residual.defined() && (relu || relu6);
    c10::IValue& packed = bounded ? bounded_ : unbounded_;
    if (packed.isNone()) packed = pack(bounded, relu6);
    std::vector<c10::IValue> stack = {padded, packed};
    operators()->run.callBoxed(&stack);
    at::Tensor y = stack.back().toTensor();
    if (residual.defined() && !spec_.residual_last) y.add_(residual);
    if (!bounded) apply(spec_.activation, y);
    if (residual.defined() && spec_.residual_last) y.add_(residual);
    return y;
  }

  std::unique_ptr<Kernel> clone() const override { return std::make_unique<XnnpackConv>(spec_); }

 private:
  c10::IValue pack(bool bounded, bool relu6) const {
    std::vector<c10::IValue> stack = {spec_.weight,
                                      spec_.bias,
                                      Pair{spec_.stride, spec_.stride},
                                      Pair{packed_padding_.top, packed_padding_.left},
                                      Pair{1, 1},
                                      spec_.groups,
                                      bounded ? c10::IValue(0.0) : c10::IValue(),
                                      bounded && relu6 ? c10::IValue(6.0) : c10::IValue()};
    operators()->pack.callBoxed(&stack);
    return stack.back();
  }

  ConvSpec spec_;
  Padding packed_padding_;           // other padding is a copy of the input
  c10::IValue bounded_, unbounded_;  // packed when first needed
};

}  // namespace

std::unique_ptr<Kernel> make_xnnpack(const ConvSpec& spec) {
  return operators() ? std::make_unique<XnnpackConv>(spec) : nullptr;
}

}  // namespace cbir::nets
