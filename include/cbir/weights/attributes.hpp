#pragma once
/// What a pickled module says of itself besides its parameters: a detector's classes and strides, the options that it was
/// made with. Data like the tensors: nothing is executed, and memory use is bounded.

#include <string>

#include <cbir/base/bytes.hpp>

namespace cbir {

/// The attributes of the module that read_tensors() takes the tensors of, as a JSON object: numbers, truth values,
/// strings, lists, tuples (as lists), dicts whose keys are strings or integers (as strings), and tensors of at most 256
/// floating-point numbers (as lists without structure). Attributes of other types, and those whose names begin with an
/// underscore, are left out. "{}" for a file that holds no pickled module. `name` is for messages. Throws as
/// read_tensors().
std::string read_attributes(Bytes file, const std::string& name);

}  // namespace cbir
