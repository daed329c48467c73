#include "pickle_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/weights/pickle.hpp>

namespace cbir {
namespace {

using nlohmann::json;
using pickle::Value;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxValues = 5'000'000;  // one list may be referred to many times

bool is_numpy(const pickle::Global* global, std::string_view submodule, std::string_view name) {
  return global && global->name == name &&
         (global->module == fmt::format("numpy.core.{}", submodule) ||
          global->module == fmt::format("numpy._core.{}", submodule));
}

bool is_bytes(const pickle::Object& object) {
  return object.type && (object.type->is("_codecs", "encode") || object.type->is("__builtin__", "bytes") ||
                         object.type->is("builtins", "bytes"));
}

/// What an element of an array is: 'i' (signed), 'u', 'f', 'b' (truth), 'U' (UCS-4), 'S' (bytes) or 'O' (objects).
struct ElementType {
  char kind = 'i';
  std::size_t size = 0;
  bool big_endian = false;
};

template <typename T>
T decode(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

class Converter {
 public:
  explicit Converter(const std::string& name) : name_(name) {}

  json convert(const Value& value, std::size_t depth = 0);

 private:
  [[noreturn]] void refuse(std::string_view what) const {
    throw Incompatible(
        fmt::format("{}: the pickle holds {}; expected plain data: dicts, lists, strings, numbers and "
                    "NumPy's arrays of numbers",
                    display_path(name_), what));
  }
  [[noreturn]] void damaged(std::string_view what) const {
    throw DamagedFile(fmt::format("{}: the pickle holds {}", display_path(name_), what));
  }
  void count(std::size_t values) {
    if ((values_ += values) > kMaxValues)
      throw ResourceLimit(fmt::format("{}: the pickle holds more than {} values", display_path(name_), kMaxValues));
  }

  json convert_list(const std::vector<const Value*>& items, std::size_t depth);
  json convert_dict(const pickle::Dict& dict, std::size_t depth);
  json convert_object(const pickle::Object& object, std::size_t depth);

  const Value& argument(const pickle::Object& object, std::size_t i) const;
  std::string encoded_bytes(const pickle::Object& object) const;
  std::string bytes_of(const Value& value) const;
  ElementType element_type(const Value& value) const;
  json element(std::string_view bytes, const ElementType& type) const;
  json array(const Value& shape, const Value& type, const Value& data, std::size_t depth);

  const std::string& name_;
  std::size_t values_ = 0;
};

json Converter::convert(const Value& value, std::size_t depth) {
  if (depth > kMaxDepth) refuse("lists in lists in lists without end");
  count(1);
  if (value.get<pickle::None>()) return nullptr;
  if (const auto* truth = value.get<bool>()) return *truth;
  if (const auto* number = value.get<std::int64_t>()) return *number;
  if (const auto* number = value.get<double>()) return *number;
  if (const auto* text = value.get<std::string_view>()) return std::string(*text);
  if (const auto* blob = value.get<pickle::Blob>()) return std::string(blob->bytes);
  if (const auto* list = value.get<pickle::List>()) return convert_list(list->items, depth);
  if (const auto* tuple = value.get<pickle::Tuple>()) return convert_list(tuple->items, depth);
  if (const auto* dict = value.get<pickle::Dict>()) return convert_dict(*dict, depth);
  if (const auto* object = value.get<pickle::Object>()) return convert_object(*object, depth);
  refuse("a class, or a tensor");
}

json Converter::convert_list(const std::vector<const Value*>& items, std::size_t depth) {
  json list = json::array();
  for (const Value* item : items) list.push_back(convert(*item, depth + 1));
  return list;
}

json Converter::convert_dict(const pickle::Dict& dict, std::size_t depth) {
  json object = json::object();
  for (const auto& [key, value] : dict.items) {
    const auto* text = key->get<std::string_view>();
    const auto* blob = key->get<pickle::Blob>();
    if (!text && !blob) refuse("a dict whose keys are not strings");
    object[std::string(text ? *text : blob->bytes)] = convert(*value, depth + 1);
  }
  return object;
}

const Value& Converter::argument(const pickle::Object& object, std::size_t i) const {
  const auto* arguments = object.arguments->get<pickle::Tuple>();
  if (!arguments || i >= arguments->items.size()) damaged("a NumPy value with too few arguments");
  return *arguments->items[i];
}

/// Of NumPy: arrays, whose parts are set as a state (1, shape, type, is_fortran, bytes) or given to _frombuffer(bytes,
/// type, shape, order); scalars, scalar(type, bytes).
json Converter::convert_object(const pickle::Object& object, std::size_t depth) {
  if (is_bytes(object)) return encoded_bytes(object);
  if (is_numpy(object.type, "multiarray", "_reconstruct")) {
    const auto* state = object.state ? object.state->get<pickle::Tuple>() : nullptr;
    if (!state || state->items.size() != 5) damaged("a NumPy array without its parts");
    return array(*state->items[1], *state->items[2], *state->items[4], depth);
  }
  if (is_numpy(object.type, "numeric", "_frombuffer"))
    return array(argument(object, 2), argument(object, 1), argument(object, 0), depth);
  if (is_numpy(object.type, "multiarray", "scalar")) {
    const ElementType type = element_type(argument(object, 0));
    const std::string bytes = bytes_of(argument(object, 1));
    if (bytes.size() != type.size) damaged("a NumPy number of another size than its type");
    return element(bytes, type);
  }
  refuse(fmt::format("a {}", display_path(object.type ? object.type->full() : "value of unknown type")));
}

/// Bytes, which protocols before 3 have as a call: bytes(), or of an encoder on text.
std::string Converter::encoded_bytes(const pickle::Object& object) const {
  if (object.type->name == "bytes") return {};
  const auto* text = argument(object, 0).get<std::string_view>();
  if (!text) damaged("bytes in an unknown form");
  std::string bytes;
  for (std::size_t i = 0; i < text->size(); ++i) {  // UTF-8 of code points up to 255
    const auto c = static_cast<unsigned char>((*text)[i]);
    if (c < 0x80) {
      bytes += static_cast<char>(c);
    } else if (c < 0xC4 && i + 1 < text->size()) {
      bytes += static_cast<char>((c & 3U) << 6U | (static_cast<unsigned char>((*text)[++i]) & 0x3FU));
    } else {
      damaged("bytes as text that is not Latin-1");
    }
  }
  return bytes;
}

std::string Converter::bytes_of(const Value& value) const {
  if (const auto* blob = value.get<pickle::Blob>()) return std::string(blob->bytes);
  if (const auto* text = value.get<std::string_view>()) return std::string(*text);
  const auto* object = value.get<pickle::Object>();
  if (!object || !is_bytes(*object)) damaged("NumPy's numbers in another form than bytes");
  return encoded_bytes(*object);
}

/// numpy.dtype("i8", ...), whose state has the byte order second.
ElementType Converter::element_type(const Value& value) const {
  const auto* object = value.get<pickle::Object>();
  if (!object || !object->type || object->type->name != "dtype") damaged("a NumPy array without a type");
  const auto* code = argument(*object, 0).get<std::string_view>();
  std::uint64_t size = 0;
  if (!code || code->size() < 2 || !parse_number(code->substr(1), size)) damaged("a NumPy array without a type");
  ElementType type{.kind = code->front(), .size = static_cast<std::size_t>(size), .big_endian = false};
  if (const auto* state = object->state ? object->state->get<pickle::Tuple>() : nullptr;
      state && state->items.size() > 1)
    if (const auto* order = state->items[1]->get<std::string_view>()) type.big_endian = *order == ">";
  const bool is_integer = (type.kind == 'i' || type.kind == 'u') && size > 0 && size <= 8 && std::has_single_bit(size);
  const bool is_float = type.kind == 'f' && (size == 4 || size == 8);
  const bool is_text = (type.kind == 'U' || type.kind == 'S') && size <= 1 << 20;
  if (!is_integer && !is_float && !is_text && !(type.kind == 'b' && size == 1) && type.kind != 'O')
    refuse(fmt::format("NumPy's numbers of type {}", display_path(*code)));
  if (type.kind == 'U') type.size *= 4;
  return type;
}

json Converter::element(std::string_view bytes, const ElementType& type) const {
  std::string ordered(bytes);
  if (type.big_endian && type.kind != 'S') {
    const std::size_t width = type.kind == 'U' ? 4 : type.size;
    for (std::size_t i = 0; i + width <= ordered.size(); i += width)
      std::reverse(ordered.begin() + static_cast<std::ptrdiff_t>(i),
                   ordered.begin() + static_cast<std::ptrdiff_t>(i + width));
  }
  switch (type.kind) {
    case 'b':
      return ordered[0] != 0;
    case 'f':
      return type.size == 4 ? static_cast<double>(decode<float>(ordered)) : decode<double>(ordered);
    case 'S':
      return ordered.substr(0, ordered.find('\0'));
    case 'U': {
      std::string text;
      for (std::size_t i = 0; i < ordered.size(); i += 4) {
        const auto code_point = decode<std::uint32_t>(std::string_view(ordered).substr(i));
        if (code_point == 0) break;
        if (code_point > 0x7F) refuse("NumPy's strings of other letters than ASCII");
        text += static_cast<char>(code_point);
      }
      return text;
    }
    default: {
      std::uint64_t number = type.kind == 'i' && (ordered.back() & '\x80') ? ~std::uint64_t{0} : 0;
      std::memcpy(&number, ordered.data(), ordered.size());
      if (type.kind == 'u') return number;
      return static_cast<std::int64_t>(number);
    }
  }
}

/// One dimension at most: what a ground truth lists.
json Converter::array(const Value& shape, const Value& type_value, const Value& data, std::size_t depth) {
  const auto* dimensions = shape.get<pickle::Tuple>();
  const std::int64_t* length =
      dimensions && dimensions->items.size() == 1 ? dimensions->items[0]->get<std::int64_t>() : nullptr;
  if (dimensions && dimensions->items.size() != 1) refuse("a NumPy array of another number of dimensions than one");
  if (!length || *length < 0) damaged("a NumPy array without a length");
  const ElementType type = element_type(type_value);
  json list = json::array();
  if (type.kind == 'O') {
    const auto* objects = data.get<pickle::List>();
    if (!objects || objects->items.size() != static_cast<std::size_t>(*length))
      damaged("a NumPy array of another length than it says");
    return convert_list(objects->items, depth);
  }
  const std::string bytes = bytes_of(data);
  if (bytes.size() / std::max<std::size_t>(type.size, 1) != static_cast<std::size_t>(*length) ||
      bytes.size() != type.size * static_cast<std::size_t>(*length))
    damaged("a NumPy array of another length than it says");
  count(static_cast<std::size_t>(*length));
  for (std::size_t i = 0; i < bytes.size(); i += type.size)
    list.push_back(element(std::string_view(bytes).substr(i, type.size), type));
  return list;
}

}  // namespace

json pickle_to_json(Bytes file, const std::string& name) {
  ByteReader reader(file, name);
  pickle::Arena arena;
  const Value& value = pickle::load(reader, arena);
  return Converter(name).convert(value);
}

}  // namespace cbir
