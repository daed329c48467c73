#pragma once
/// From unpickled values to named dense tensors; shared by all containers that hold pickles.

#include <map>
#include <string>

#include <cbir/weights/tensors.hpp>

#include "pickle.hpp"

namespace cbir::weights {

/// The raw numbers of each storage, by key. `type` and `elements` are already known to agree with `data`.
struct Storage {
  TensorType type;
  Bytes data;
};
using Storages = std::map<std::string, Storage>;

/// All storages that a pickled object refers to, by key; each with the type and the number of elements that the pickle
/// states. Throws DamagedFile if two references to one key disagree.
std::map<std::string, const pickle::StorageRef*> referenced_storages(const pickle::Arena& arena,
                                                                     const std::string& name);

/// The tensors of a state_dict, or of a checkpoint that holds one under "state_dict" or "model"; names of nested dicts
/// are joined by '.'. Tensors that are not dense in C order are copied, within a total of `copy_limit` bytes.
/// Throws DamagedFile (a tensor outside its storage, a name used twice), Incompatible (no tensors), ResourceLimit.
TensorMap state_dict(const pickle::Value& object, const Storages& storages, const std::string& name,
                     std::uint64_t copy_limit, const std::shared_ptr<const void>& owner);

}  // namespace cbir::weights
