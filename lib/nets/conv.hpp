#pragma once
/// Convolutions as inference wants them: batch norm folded in, activation and residual fused, weights packed once.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

#include "arithmetic.hpp"

namespace cbir::nets {

class Kernel;

/// Rows and columns of zeros around the picture.
struct Padding {
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
  bool same = false;  ///< the four depend on the picture's size: see `same_size`

  static constexpr Padding all(std::int64_t n) { return {n, n, n, n, false}; }
  /// TensorFlow's 'SAME': the output has ceil(size / stride) rows and columns, and an odd total pads one more after.
  static constexpr Padding same_size() { return {0, 0, 0, 0, true}; }

  bool symmetric() const { return top == bottom && left == right; }
  bool operator==(const Padding&) const = default;
};

/// What a convolution computes: activation(conv(x) + bias [+ residual]), or activation(conv(x) + bias) + residual.
struct ConvSpec {
  at::Tensor weight;  ///< out x in/groups x height x width, float32
  at::Tensor bias;    ///< out, float32; undefined means zeros
  std::int64_t stride = 1;
  Padding padding;
  std::int64_t groups = 1;
  Activation activation = Activation::none;
  bool residual_last = false;  ///< a residual is added to what the activation gives
};

struct BatchNorm {
  at::Tensor weight, bias, mean, variance;
  double epsilon = 0;
};

/// The padding of a convolution, with a weight of these sizes, for a picture of height x width, in numbers.
Padding resolved(const ConvSpec& spec, at::IntArrayRef weight, std::int64_t height, std::int64_t width);

/// Folds y = bn(conv(x)) into weight and bias, in double precision. A bias that the convolution has already is kept.
void fold(const BatchNorm& bn, ConvSpec& conv);

/// A convolution on NHWC (channels-last) tensors of `scalar_type(precision)`, whose result is of the same kind. Works
/// on the calling thread alone. Copies share the packed weights; each copy is for one thread at a time.
class Conv {
 public:
  explicit Conv(const ConvSpec& spec, Precision precision = Precision::float32, c10::Device device = c10::kCPU);
  Conv(const Conv& other);
  Conv(Conv&&) noexcept;
  Conv& operator=(const Conv&) = delete;
  ~Conv();

  /// `x` is n x in x height x width. A float32 `x` is rounded first where the precision is bfloat16.
  at::Tensor operator()(const at::Tensor& x) const;
  /// `residual` has the shape of the result. It may be overwritten and returned, so the caller must not use it again.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace cbir::nets
