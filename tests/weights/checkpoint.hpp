#pragma once
/// Legacy checkpoints put together opcode by opcode, as torch.save does it and as it never would.

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/bytes.hpp>

namespace pickled {

using namespace std::string_literals;

template <typename T>
std::string le(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

inline std::string text(const std::string& s) { return "X" + le(static_cast<std::uint32_t>(s.size())) + s; }
inline std::string number(std::int32_t n) { return "J" + le(n); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::string& items) { return "(" + items + "t"; }
inline std::string numbers(const std::vector<std::int32_t>& list) {
  std::string items;
  for (const std::int32_t n : list) items += number(n);
  return tuple(items);
}
inline std::string dict(const std::string& items) { return "}(" + items + "u"; }
inline std::string dump(const std::string& body) { return "\x80\x02" + body + "."; }

inline std::string storage(const std::string& key, std::int32_t elements, const std::string& type = "FloatStorage") {
  return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + number(elements) + "N") + "Q";
}

inline std::string tensor(const std::string& storage_id, std::int32_t offset, const std::vector<std::int32_t>& shape,
                          const std::vector<std::int32_t>& stride) {
  const std::string hooks = global("collections", "OrderedDict") + ")R";
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(storage_id + number(offset) + numbers(shape) + numbers(stride) + "\x89" + hooks) + "R";
}

inline std::string magic() { return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."; }
inline std::string head() { return magic() + dump(number(1001)) + dump(dict(text("little_endian") + "\x88")); }

inline std::string floats(const std::vector<float>& values) {
  return le(static_cast<std::int64_t>(values.size())) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

/// A whole file with storages 'a', 'b', ... of the given numbers.
inline std::string file(const std::string& object, const std::vector<std::vector<float>>& storages) {
  std::string keys, data;
  for (std::size_t i = 0; i < storages.size(); ++i) {
    keys += text(std::string(1, static_cast<char>('a' + i)));
    data += floats(storages[i]);
  }
  return head() + dump(object) + dump("](" + keys + "e") + data;
}

inline cbir::Bytes bytes(const std::string& s) { return cbir::as_bytes(s); }

}  // namespace pickled
