#include "linear.hpp"

#include "kernel.hpp"

namespace cbir::nets {
namespace {

std::unique_ptr<Kernel> choose(const LinearSpec& spec, Precision precision, c10::Device device) {
  if (device.is_cpu() && (precision == Precision::float32 || cpu_has_bf16()))
    if (auto kernel = make_onednn(spec, precision)) return kernel;
  return make_aten(spec, precision, device);
}

}  // namespace

Linear::Linear(const LinearSpec& spec, Precision precision, c10::Device device)
    : kernel_(choose(spec, precision, device)) {}
Linear::Linear(const Linear& other) : kernel_(other.kernel_->clone()) {}
Linear::Linear(Linear&&) noexcept = default;
Linear::~Linear() = default;

at::Tensor Linear::operator()(const at::Tensor& x) const { return kernel_->run(x, {}); }
at::Tensor Linear::operator()(const at::Tensor& x, const at::Tensor& residual) const {
  return kernel_->run(x, residual);
}

}  // namespace cbir::nets
