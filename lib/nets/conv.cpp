#include "conv.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <vector>

namespace cbir::nets {
namespace {

struct XnnpackOps {
  c10::OperatorHandle pack, run;
};

/// The operators behind torch.utils.mobile_optimizer; part of every LibTorch that was built with XNNPACK.
const std::optional<XnnpackOps>& xnnpack() {
  static const std::optional<XnnpackOps> ops = []() -> std::optional<XnnpackOps> {
    auto& dispatcher = c10::Dispatcher::singleton();
    const auto pack = dispatcher.findSchema({"prepacked::conv2d_clamp_prepack", ""});
    const auto run = dispatcher.findSchema({"prepacked::conv2d_clamp_run", ""});
    if (!pack || !run) return std::nullopt;
    return XnnpackOps{*pack, *run};
  }();
  return ops;
}

std::vector<std::int64_t> square(std::int64_t n) { return {n, n}; }

}  // namespace

void fold(const BatchNorm& bn, ConvSpec& conv) {
  const at::Tensor scale = bn.weight.to(at::kDouble) / (bn.variance.to(at::kDouble) + bn.epsilon).sqrt();
  conv.bias = (bn.bias.to(at::kDouble) - bn.mean.to(at::kDouble) * scale).to(at::kFloat);
  conv.weight = (conv.weight.to(at::kDouble) * scale.view({-1, 1, 1, 1})).to(at::kFloat);
}

Conv::Conv(const ConvSpec& spec) : spec_(spec) {
  if (!xnnpack()) {
    spec_.weight = spec.weight.contiguous(at::MemoryFormat::ChannelsLast);
    return;
  }
  std::vector<c10::IValue> stack = {spec.weight,          spec.bias, square(spec.stride),
                                    square(spec.padding), square(1), spec.groups};
  stack.emplace_back(spec.relu6 ? c10::IValue(0.0) : c10::IValue());
  stack.emplace_back(spec.relu6 ? c10::IValue(6.0) : c10::IValue());
  xnnpack()->pack.callBoxed(&stack);
  packed_ = stack.back();
}

at::Tensor Conv::operator()(const at::Tensor& x) const {
  if (packed_.isNone()) {
    at::Tensor y =
        at::conv2d(x, spec_.weight, spec_.bias, square(spec_.stride), square(spec_.padding), square(1), spec_.groups);
    return spec_.relu6 ? y.clamp_(0, 6) : y;
  }
  std::vector<c10::IValue> stack = {x, packed_};
  xnnpack()->run.callBoxed(&stack);
  return stack.back().toTensor();
}

}  // namespace cbir::nets
