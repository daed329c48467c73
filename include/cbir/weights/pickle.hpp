#pragma once
/// An unpickler that builds data and nothing else: numbers, strings, containers, references to tensors, and objects
/// that are the name of their class beside their state. It never imports, calls or constructs anything that a file
/// names. Opcodes: those of pickle protocols 0 to 5 that torch.save, torch.jit.save and pickle.dump of data write
/// (Python's Lib/pickletools.py describes them).
///
/// Strings, bytes and names are views of the pickle, or of other values: it and the arena must outlive the values.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
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
/// Bytes, strings that are not UTF-8 (Python 2 wrote bytes so), and integers of more than 64 bits as their
/// little-endian two's complement.
struct Blob {
  std::string_view bytes;
};
/// A class or function, by module and name.
struct Global {
  std::string_view module, name;

  bool is(std::string_view wanted_module, std::string_view wanted_name) const {
    return module == wanted_module && name == wanted_name;
  }
  std::string full() const { return std::string(module) + "." + std::string(name); }
};
/// Text that stands in the pickle with escapes. No value is this: strings and Blobs are views of it.
struct Unescaped {
  std::string text;
};
/// What a call of a class or function would have made, as data: whom, with what, and the state set afterwards.
struct Object {
  const Global* type = nullptr;
  const Value* arguments = nullptr;  ///< a Tuple
  const Value* state = nullptr;      ///< of the last BUILD; null if there was none
  Dict items;                        ///< set like a dict's
};
/// A persistent id of torch.save: (part of) a storage, whose numbers lie elsewhere in the file.
struct StorageRef {
  TensorType type = TensorType::float32;
  std::string_view key;
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
  std::variant<None, bool, std::int64_t, double, std::string_view, Blob, List, Tuple, Dict, Global, Object, StorageRef,
               TensorRef, Unescaped>
      v;

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&v);
  }
};

/// The value of a string key that stands in a dict once; null if there is none. `*twice` tells of a second.
const Value* find(const Dict& dict, std::string_view key, bool* twice = nullptr);

/// A dict, or the items of an object of a dict's subclass; null for anything else.
const Dict* dict_of(const Value& value);

/// Owns the values of one or more pickles. They may refer to each other in any way, circles included.
using Arena = std::deque<Value>;

/// Reads one pickle from the reader's position to its STOP opcode; the values live in `arena`.
/// Throws DamagedFile (with the byte offset), Incompatible (a newer protocol), ResourceLimit.
const Value& load(ByteReader& reader, Arena& arena);

}  // namespace cbir::pickle
