#include "parameters.hpp"

#include <ATen/Functions.h>

#include <cstring>

#include "settings.hpp"

namespace cbir::nets {
namespace {

std::string shape_text(at::IntArrayRef shape) {
  std::string out;
  for (const std::int64_t size : shape) {
    if (!out.empty()) out += 'x';
    out += std::to_string(size);
  }
  return out.empty() ? "a single number" : out;
}

at::ScalarType scalar_type(const std::string& name, const std::string& type) {
  static const std::map<std::string, at::ScalarType> types = {
      {"float32", at::kFloat}, {"float16", at::kHalf}, {"bfloat16", at::kBFloat16}, {"float64", at::kDouble}};
  const auto found = types.find(type);
  if (found == types.end())
    throw Error(ExitCode::incompatible,
                "parameter " + name + " is of type " + type + "; floating-point numbers were expected");
  return found->second;
}

}  // namespace

Parameters::Parameters(const cbir_net_tensor* tensors, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const cbir_net_tensor& tensor = tensors[i];
    if (!tensor.name || !tensor.type || (tensor.dims && !tensor.shape))
      throw Error(ExitCode::internal, "a parameter without name, type or shape");
    tensors_[tensor.name] = &tensor;
  }
}

at::IntArrayRef Parameters::shape(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? at::IntArrayRef() : at::IntArrayRef(found->second->shape, found->second->dims);
}

at::Tensor Parameters::take(const std::string& name, at::IntArrayRef shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end())
    throw Error(ExitCode::incompatible, "parameter " + name + " (" + shape_text(shape) + ") is missing");
  const cbir_net_tensor& tensor = *found->second;
  const at::IntArrayRef actual(tensor.shape, tensor.dims);
  if (actual != shape)
    throw Error(ExitCode::incompatible,
                "parameter " + name + " is " + shape_text(actual) + ", " + shape_text(shape) + " was expected");
  used_.insert(name);
  at::Tensor copy = at::empty(shape, scalar_type(name, tensor.type));  // the original need not be aligned
  if (copy.nbytes()) std::memcpy(copy.data_ptr(), tensor.data, copy.nbytes());
  copy = copy.to(at::kFloat);
  if (!at::isfinite(copy).all().item<bool>())
    throw Error(ExitCode::damaged, "parameter " + name + " holds a NaN or an infinity");
  return copy;
}

void Parameters::ignore_suffix(std::string_view suffix) {
  for (const auto& [name, tensor] : tensors_)
    if (name.ends_with(suffix)) used_.insert(name);
}

void Parameters::ignore_prefix(std::string_view prefix) {
  for (const auto& [name, tensor] : tensors_)
    if (name.starts_with(prefix)) used_.insert(name);
}

void Parameters::finish() const {
  for (const auto& [name, tensor] : tensors_)
    if (!used_.contains(name))
      throw Error(ExitCode::incompatible, "parameter " + name + " (" + shape_text({tensor->shape, tensor->dims}) +
                                              ") is not one of this network's");
}

}  // namespace cbir::nets
