#pragma once
/// Linear layers as inference wants them: activation and residual fused, weights packed once.

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <memory>

#include "arithmetic.hpp"

namespace cbir::nets {

class Kernel;

/// What a linear layer computes: activation(x * weight^T + bias [+ residual]).
struct LinearSpec {
  at::Tensor weight;  ///< out x in, float32
  at::Tensor bias;    ///< out, float32; undefined means zeros
  Activation activation = Activation::none;
};

/// A linear layer on contiguous tensors of `scalar_type(precision)`, whose result is of the same type. Works on the
/// calling thread alone. Copies share the packed weights; each copy is for one thread at a time.
class Linear {
 public:
  explicit Linear(const LinearSpec& spec, Precision precision = Precision::float32, c10::Device device = c10::kCPU);
  Linear(const Linear& other);
  Linear(Linear&&) noexcept;
  Linear& operator=(const Linear&) = delete;
  ~Linear();

  /// `x` is ... x in, the result ... x out; all rows are one product of matrices.
  at::Tensor operator()(const at::Tensor& x) const;
  /// `residual` has the shape of the result. It may be overwritten and returned, so the caller must not use it again.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  std::unique_ptr<Kernel> kernel_;
};

}  // namespace cbir::nets
