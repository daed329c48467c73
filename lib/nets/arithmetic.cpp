#include "arithmetic.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "kernel.hpp"

namespace cbir::nets {

at::ScalarType scalar_type(Precision precision) {
  return precision == Precision::bfloat16 ? at::kBFloat16 : at::kFloat;
}

bool cpu_has_bf16() { return onednn_has_bf16(); }

at::Tensor& apply(Activation activation, at::Tensor& x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x.relu_();
    case Activation::relu6:
      return x.clamp_(0, 6);
    case Activation::hardswish:
      return at::hardswish_(x);
    case Activation::hardsigmoid:
      return at::hardsigmoid_(x);
    case Activation::gelu:
      return at::gelu_(x);
    case Activation::quick_gelu:
      return x.mul_(at::sigmoid(x * 1.702));
    case Activation::selu:
      return at::selu_(x);
    case Activation::silu:
      return at::silu_(x);
  }
  return x;
}

}  // namespace cbir::nets
