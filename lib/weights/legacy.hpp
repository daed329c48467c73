#pragma once
/// The container of torch.save before PyTorch 1.6 (torch/serialization.py, _legacy_save): five pickles one after
/// another
/// - magic number, protocol version, facts of the machine, the object, the storages' keys - then each storage as a
/// count (int64) and its raw numbers.

#include <cbir/weights/tensors.hpp>

#include "state_dict.hpp"

namespace cbir::weights {

/// Whether the file begins with the pickled magic number.
bool is_legacy_checkpoint(Bytes file);

/// Unpickles the checkpoint, and has `use` look at it while it is in memory. Throws as read_tensors.
void use_legacy_checkpoint(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner,
                           const UseObject& use);

TensorMap read_legacy_checkpoint(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner);

}  // namespace cbir::weights
