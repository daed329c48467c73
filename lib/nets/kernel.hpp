#pragma once
/// Who does the work of a Conv or a Linear: one of three libraries, chosen by device, precision and CPU.

#include <ATen/core/Tensor.h>

#include <memory>

#include "conv.hpp"
#include "linear.hpp"

namespace cbir::nets {

/// A layer ready to run, in one library's form.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// `residual` is undefined where none is to be added.
  virtual at::Tensor run(const at::Tensor& x, const at::Tensor& residual) = 0;
  /// Another for another thread; packed weights are shared where the library allows it.
  virtual std::unique_ptr<Kernel> clone() const = 0;
};

/// LibTorch's operators: on every device, in every precision.
std::unique_ptr<Kernel> make_aten(const ConvSpec& spec, Precision precision, c10::Device device);
std::unique_ptr<Kernel> make_aten(const LinearSpec& spec, Precision precision, c10::Device device);

/// XNNPACK's prepacked convolutions, float32 on the CPU. Null where LibTorch was built without them.
std::unique_ptr<Kernel> make_xnnpack(const ConvSpec& spec);

/// oneDNN, on the CPU. Null where the build is without it or where it has no optimised kernel for the layer.
std::unique_ptr<Kernel> make_onednn(const ConvSpec& spec, Precision precision);
std::unique_ptr<Kernel> make_onednn(const LinearSpec& spec, Precision precision);
bool onednn_has_bf16();

/// c = a b, of float32 matrices in memory whose rows lie at any distance; b may be the transposed view of one. On the
/// calling thread alone, which LibTorch's own products are not everywhere: a BLAS may have threads that nobody asked.
void multiply(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c);

}  // namespace cbir::nets
