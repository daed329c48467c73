#pragma once
/// Hugging Face's safetensors (github.com/huggingface/safetensors, its README's "Format"): the header's length
/// (uint64), a JSON header {"NAME": {"dtype", "shape", "data_offsets"}, ..., "__metadata__": {...}}, then the numbers,
/// which the offsets cover without a hole or an overlap.

#include <cbir/weights/tensors.hpp>

namespace cbir::weights {

/// Whether the file begins like one.
bool is_safetensors(Bytes file);

/// Throws DamagedFile, and Incompatible for types of number that TensorType does not have.
TensorMap read_safetensors(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner);

}  // namespace cbir::weights
