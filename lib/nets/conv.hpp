#pragma once
/// Convolutions as inference wants them: batch norm folded in, activation fused, weights packed once.

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <cstdint>

namespace cbir::nets {

/// What a convolution computes; shared by all its packed copies.
struct ConvSpec {
  at::Tensor weight;  ///< out x in/groups x k x k
  at::Tensor bias;    ///< out
  std::int64_t stride = 1;
  std::int64_t padding = 0;  ///< on all four sides
  std::int64_t groups = 1;
  bool relu6 = false;
};

struct BatchNorm {
  at::Tensor weight, bias, mean, variance;
  double epsilon = 0;
};

/// Folds y = bn(conv(x)) into weight and bias, in double precision.
void fold(const BatchNorm& bn, ConvSpec& conv);

/// A convolution on NHWC (channels-last) tensors. XNNPACK does the work where LibTorch has it, at::conv2d elsewhere.
/// XNNPACK's operators hold the state of the running call, so a Conv is for one thread at a time.
class Conv {
 public:
  explicit Conv(const ConvSpec& spec);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ConvSpec spec_;
  c10::IValue packed_;  // none if XNNPACK is not there
};

}  // namespace cbir::nets
