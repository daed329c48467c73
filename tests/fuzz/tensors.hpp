#pragma once
/// For the readers of checkpoints.

#include <cstdlib>

#include <cbir/weights/tensors.hpp>
#include <tests/fuzz/target.hpp>

namespace fuzz {

/// Every tensor's bytes are there, and as many as its shape needs.
inline void check(const cbir::TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (static_cast<std::size_t>(tensor.elements()) * item_size(tensor.type) != tensor.data.size()) std::abort();
    touch(tensor.data);
  }
}

}  // namespace fuzz
