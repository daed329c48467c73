#pragma once
/// What convolutions and linear layers have in common: the type they compute in and the function they end with.

#include <ATen/core/Tensor.h>

namespace cbir::nets {

/// The type of weights and of the activations between layers. Sums are float32 either way.
enum class Precision { float32, bfloat16 };

/// Whether this CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX) and the build has the kernels for it.
/// Elsewhere bfloat16 is emulated, many times slower than float32.
bool cpu_has_bf16();

at::ScalarType scalar_type(Precision precision);

/// Applied to the sum last.
enum class Activation {
  none,
  relu,
  relu6,
  hardswish,    ///< x * relu6(x + 3) / 6 (MobileNetV3)
  hardsigmoid,  ///< relu6(x + 3) / 6 (its squeeze-and-excitation)
  gelu,         ///< by erf, as torch.nn.GELU()
  quick_gelu,   ///< x * sigmoid(1.702 x) (OpenAI's CLIP)
  selu,         ///< 1.0507 * (x > 0 ? x : 1.6733 * (exp(x) - 1)) (ALIKED)
  silu,         ///< x * sigmoid(x) (YOLOv5)
};

/// In place on `x`, in its own type.
at::Tensor& apply(Activation activation, at::Tensor& x);

}  // namespace cbir::nets
