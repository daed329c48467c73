#pragma once
/// The zip archives of PyTorch: torch.save since 1.6 (torch/serialization.py, _save), and torch.jit.save
/// (caffe2/serialize/inline_container.h). One folder holds data.pkl, data/KEY (the storages, at multiples of 64 bytes,
/// not compressed), version, byteorder; of torch.jit.save also constants.pkl and code/, of which nothing is run.

#include <cbir/weights/tensors.hpp>

#include "state_dict.hpp"

namespace cbir::weights {

bool is_zip(Bytes file);

/// Unpickles the archive's object, and has `use` look at it while it is in memory. Throws as read_tensors.
void use_torch_zip(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner, const UseObject& use);

TensorMap read_torch_zip(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner);

}  // namespace cbir::weights
