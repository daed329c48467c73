#pragma once
/// The globals that a checkpoint of plain tensors names, and what stands for them: the whole of what a pickle can
/// "call".

#include <string>
#include <string_view>

#include "pickle.hpp"

namespace cbir::pickle {

/// Where in which file, for messages.
struct Place {
  const std::string& file;
  std::size_t offset;
  /// Throws DamagedFile.
  [[noreturn]] void damaged(std::string_view what) const;
};

/// collections.OrderedDict, torch._utils._rebuild_tensor_v2 and _rebuild_parameter, torch.<T>Storage.
bool is_known_global(std::string_view name);

/// What REDUCE makes. Adds to `copied` the number of entries copied out of the arguments. Throws DamagedFile.
Value call(const Global& function, const Tuple& arguments, const Place& place, std::size_t& copied);

/// What BINPERSID makes of ('storage', type, key, location, elements, view), with view None or (key, offset, elements).
/// Throws DamagedFile.
StorageRef storage_of(const Value& id, const Place& place);

}  // namespace cbir::pickle
