#pragma once
/// A pickle of plain data as JSON: None, booleans, numbers, strings, lists, tuples, sets, dicts with string keys, and
/// NumPy's arrays and scalars of numbers. Nothing in it is run.

#include <nlohmann/json_fwd.hpp>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// `name` is for messages. Strings may hold bytes that are not UTF-8. Throws DamagedFile, Incompatible (anything but
/// plain data, a newer protocol), ResourceLimit (more values than any ground truth has).
nlohmann::json pickle_to_json(Bytes file, const std::string& name);

}  // namespace cbir
