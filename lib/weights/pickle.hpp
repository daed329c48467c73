#pragma once
/// A restricted unpickler: it builds numbers, strings, containers and references to tensors, and nothing else. It never
/// imports, calls or constructs anything that a file names; a global that is not in its short list is refused by name.
/// Opcodes: those of pickle protocols 0 to 4 that torch.save writes (Python's Lib/pickletools.py describes them).

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <cbir/base/bytes.hpp>
#include <cbir/weights/tensors.hpp>

namespace cbir::pickle {

struct Value;

struct None {};
struct List {
  std::vector<const Value*> items;
};
struct Tuple {
  std::vector<const Value*> items;
};
struct Dict {
  std::vector<std::pair<const Value*, const Value*>> items;
};
/// Bytes, and integers of more than 64 bits as their little-endian two's complement.
struct Blob {
  std::string bytes;
};
/// Something named by module and name; only names in the unpickler's list come this far.
struct Global {
  std::string name;
};
/// A persistent id of torch.save: (part of) a storage, whose numbers lie elsewhere in the file.
struct StorageRef {
  TensorType type = TensorType::float32;
  std::string key;
  std::uint64_t elements = 0;     ///< of the whole storage
  std::uint64_t view_offset = 0;  ///< in elements
  std::uint64_t view_elements = 0;
};
/// torch._utils._rebuild_tensor_v2: a strided view of a storage. Not yet checked against the storage.
struct TensorRef {
  const StorageRef* storage = nullptr;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape, stride;  ///< in elements; equally many
};

struct Value {
  std::variant<None, bool, std::int64_t, double, std::string, Blob, List, Tuple, Dict, Global, StorageRef, TensorRef> v;

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&v);
  }
};

/// Owns the values of one or more pickles. They may refer to each other in any way, circles included.
using Arena = std::deque<Value>;

/// Reads one pickle from the reader's position to its STOP opcode; the values live in `arena`.
/// Throws DamagedFile (with the byte offset), Incompatible (a global or opcode outside the list), ResourceLimit.
const Value& load(ByteReader& reader, Arena& arena);

}  // namespace cbir::pickle
