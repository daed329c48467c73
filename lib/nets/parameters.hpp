#pragma once
/// The parameters that came through the C boundary, taken one by one by name and shape.

#include <ATen/core/Tensor.h>

#include <map>
#include <set>
#include <string>
#include <string_view>

#include <cbir/encoder/net_plugin.h>

namespace cbir::nets {

class Parameters {
 public:
  /// Throws Error if a description makes no sense.
  Parameters(const cbir_net_tensor* tensors, std::size_t count);

  bool has(const std::string& name) const { return tensors_.contains(name); }

  /// That which the checkpoint states; empty if the parameter is missing.
  at::IntArrayRef shape(const std::string& name) const;

  /// A float32 copy. Throws Error (incompatible) if it is missing or has another shape, and (damaged) if it holds a
  /// NaN or an infinity: activations clamp a NaN away and would make it a plausible number.
  at::Tensor take(const std::string& name, at::IntArrayRef shape);

  /// Marks what a checkpoint may hold and the network does not use.
  void ignore_suffix(std::string_view suffix);
  void ignore_prefix(std::string_view prefix);

  /// Throws Error (incompatible) naming the first parameter that was neither taken nor ignored.
  void finish() const;

 private:
  std::map<std::string, const cbir_net_tensor*> tensors_;
  std::set<std::string> used_;
};

}  // namespace cbir::nets
