#pragma once
/// The globals of PyTorch that a pickle names and that stand for tensors.

#include <optional>
#include <string>
#include <string_view>

#include <cbir/weights/pickle.hpp>

namespace cbir::pickle {

/// Where in which file, for messages.
struct Place {
  const std::string& file;
  std::size_t offset;
  /// Throws DamagedFile.
  [[noreturn]] void damaged(std::string_view what) const;
};

/// What REDUCE makes of collections.OrderedDict and of the functions of torch._utils that put a tensor together;
/// nothing for any other function. Adds to `copied` the number of entries copied out of the arguments. Throws
/// DamagedFile.
std::optional<Value> call(const Global& function, const Tuple& arguments, const Place& place, std::size_t& copied);

/// What BINPERSID makes of ('storage', type, key, location, elements, view), with view None or (key, offset, elements);
/// and of ('module', class, file, source), as legacy files have it: the class.
/// Throws DamagedFile; Incompatible for storages of other types of number.
Value persistent(const Value& id, const Place& place);

}  // namespace cbir::pickle
