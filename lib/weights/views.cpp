#include "views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

using pickle::Blob;
using pickle::Object;
using pickle::TensorRef;
using pickle::Tuple;
using pickle::Value;

bool is_dense(const TensorRef& ref) {
  std::int64_t expected = 1;
  for (std::size_t d = ref.shape.size(); d-- > 0;) {
    if (ref.shape[d] != 1 && ref.stride[d] != expected) return false;
    expected *= ref.shape[d];
  }
  return true;
}

/// Copies a strided view, innermost dimension last.
void gather(const TensorRef& ref, const std::byte* from, std::size_t item, std::byte* to) {
  const std::size_t dims = ref.shape.size();
  std::vector<std::int64_t> index(dims, 0);
  for (;;) {
    std::memcpy(to, from, item);
    to += item;
    std::size_t d = dims;
    while (d-- > 0) {
      const auto step = static_cast<std::ptrdiff_t>(ref.stride[d]) * static_cast<std::ptrdiff_t>(item);
      if (++index[d] < ref.shape[d]) {
        from += step;
        break;
      }
      from -= step * (ref.shape[d] - 1);
      index[d] = 0;
    }
    if (d == static_cast<std::size_t>(-1)) return;
  }
}

bool is_numpy_function(const Object& object, std::string_view name) {
  return object.type->name == name &&
         (object.type->module == "numpy.core.multiarray" || object.type->module == "numpy._core.multiarray");
}

const Value* item(const Value* tuple_value, std::size_t index) {
  const Tuple* tuple = tuple_value ? tuple_value->get<Tuple>() : nullptr;
  return tuple && index < tuple->items.size() ? tuple->items[index] : nullptr;
}

const std::string_view* text(const Value* value) { return value ? value->get<std::string_view>() : nullptr; }

/// numpy.dtype('f8', ...) with the state (version, byte order, ...).
std::optional<TensorType> number_type(const Value* value) {
  static constexpr std::pair<std::string_view, TensorType> kTypes[] = {
      {"f8", TensorType::float64}, {"f4", TensorType::float32}, {"f2", TensorType::float16},
      {"i8", TensorType::int64},   {"i4", TensorType::int32},   {"i2", TensorType::int16},
      {"i1", TensorType::int8},    {"u1", TensorType::uint8},   {"b1", TensorType::boolean}};
  const Object* type = value ? value->get<Object>() : nullptr;
  if (!type || !type->type->is("numpy", "dtype")) return {};
  const std::string_view* code = text(item(type->arguments, 0));
  const std::string_view* order = text(item(type->state, 1));
  if (!code || (order && *order == ">")) return {};
  for (const auto& [known, number] : kTypes)
    if (known == *code) return number;
  return {};
}

/// The bytes of a bytes object. Protocol 2 has none: Python writes them as text of which each character is one byte.
/// False if it is no such thing or its length is not that of `out`.
bool copy_bytes(const Value* value, std::vector<std::byte>& out) {
  if (const Blob* blob = value ? value->get<Blob>() : nullptr) {
    if (blob->bytes.size() != out.size()) return false;
    std::ranges::copy(as_bytes(blob->bytes), out.begin());
    return true;
  }
  const Object* call = value ? value->get<Object>() : nullptr;
  if (call && !call->type->is("_codecs", "encode")) {
    // bytes() is how protocol 2 writes none.
    return out.empty() && call->type->name == "bytes";
  }
  const std::string_view* latin = call ? text(item(call->arguments, 0)) : text(value);
  if (!latin) return false;
  std::size_t filled = 0;
  for (std::size_t i = 0; i < latin->size(); ++i) {
    auto c = static_cast<unsigned char>((*latin)[i]);
    if (call && c >= 0x80) {  // two bytes of UTF-8, up to U+00FF; a str of Python 2 is bytes already
      if (c > 0xc3) return false;
      c = static_cast<unsigned char>((c & 3) << 6 | (static_cast<unsigned char>((*latin)[++i]) & 0x3f));
    }
    if (filled == out.size()) return false;
    out[filled++] = std::byte{c};
  }
  return filled == out.size();
}

}  // namespace

void Views::damaged(const std::string& tensor, std::string_view what) const {
  throw DamagedFile(fmt::format("{}: tensor '{}' {}", display_path(file_), tensor, what));
}

/// The number of elements; checks that the last one lies within `available` elements of the storage.
std::uint64_t Views::check_extent(const TensorRef& ref, std::uint64_t available, const std::string& tensor) const {
  std::int64_t elements = 1, last = ref.offset;
  bool overflow = false, empty = false;
  for (std::size_t d = 0; d < ref.shape.size(); ++d) {
    if (ref.shape[d] == 0) {
      empty = true;  // but the other sizes must still have a product
      continue;
    }
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(elements, ref.shape[d], &elements);
    overflow |= __builtin_mul_overflow(ref.shape[d] - 1, ref.stride[d], &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  if (overflow) damaged(tensor, "has a shape or stride that is too large to be true");
  if (empty) return 0;
  if (static_cast<std::uint64_t>(last) >= available)
    damaged(tensor, fmt::format("reaches element {} of a storage of {}", last, available));
  return static_cast<std::uint64_t>(elements);
}

/// A stride of 0 makes a tensor as large as you please out of one number, and any array may be there many times.
std::shared_ptr<std::vector<std::byte>> Views::copy_memory(std::uint64_t elements, std::size_t item_bytes,
                                                           const std::string& tensor) {
  if (elements > copy_left_ / item_bytes)
    throw ResourceLimit(fmt::format("{}: tensor '{}' would take {} elements, more than the file itself holds",
                                    display_path(file_), tensor, elements));
  const std::size_t bytes = static_cast<std::size_t>(elements) * item_bytes;
  copy_left_ -= bytes;
  return std::make_shared<std::vector<std::byte>>(bytes);
}

Tensor Views::dense(const TensorRef& ref, const std::string& tensor) {
  const pickle::StorageRef& storage = *ref.storage;
  const std::size_t item_bytes = item_size(storage.type);
  const std::uint64_t elements = check_extent(ref, storage.view_elements, tensor);
  Tensor out{storage.type, ref.shape, {}, {}};
  if (elements == 0) return out;
  const std::size_t bytes = static_cast<std::size_t>(elements) * item_bytes;
  const auto first =
      static_cast<std::size_t>(storage.view_offset + static_cast<std::uint64_t>(ref.offset)) * item_bytes;
  const Storage numbers = find_(storage);
  if (is_dense(ref)) {
    out.data = numbers.data.subspan(first, bytes);
    out.owner = numbers.owner;
    return out;
  }
  const auto memory = copy_memory(elements, item_bytes, tensor);
  gather(ref, numbers.data.data() + first, item_bytes, memory->data());
  out.data = *memory;
  out.owner = memory;
  return out;
}

bool Views::is_numpy(const Object& object) {
  return is_numpy_function(object, "_reconstruct") || is_numpy_function(object, "scalar");
}

/// _reconstruct(class, shape, type) with the state (version, shape, dtype, is_fortran, bytes); scalar(dtype, bytes).
Tensor Views::numpy(const Object& object, const std::string& tensor) {
  const bool scalar = object.type->name == "scalar";
  const Value* fields = scalar ? object.arguments : object.state;
  const Value* type_value = item(fields, scalar ? 0 : 2);
  const std::optional<TensorType> type = number_type(type_value);
  if (!type)
    throw Incompatible(fmt::format("{}: array '{}' is not of a type of number that is read (or big-endian)",
                                   display_path(file_), tensor));
  // As a view of a storage it is checked like any other.
  TensorRef ref;
  if (!scalar) {
    const Tuple* shape = item(fields, 1) ? item(fields, 1)->get<Tuple>() : nullptr;
    if (!shape || shape->items.size() > 64) damaged(tensor, "is an array without a shape");
    for (const Value* size : shape->items) {
      const std::int64_t* number = size->get<std::int64_t>();
      if (!number || *number < 0) damaged(tensor, "has a size that is not a number, or is negative");
      ref.shape.push_back(*number);
    }
  }
  ref.stride.assign(ref.shape.size(), 0);
  const std::uint64_t elements = check_extent(ref, 1, tensor);
  Tensor out{*type, ref.shape, {}, {}};
  const std::size_t item_bytes = item_size(*type);
  auto memory = copy_memory(elements, item_bytes, tensor);
  if (!copy_bytes(item(fields, scalar ? 1 : 4), *memory)) damaged(tensor, "has not as many bytes as its shape needs");
  const bool* fortran = scalar || !item(fields, 3) ? nullptr : item(fields, 3)->get<bool>();
  if (fortran && *fortran && elements > 0) {
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < ref.shape.size(); ++d) {
      ref.stride[d] = stride;
      stride *= ref.shape[d];
    }
    const auto turned = copy_memory(elements, item_bytes, tensor);
    gather(ref, memory->data(), item_bytes, turned->data());
    memory = turned;
  }
  out.data = *memory;
  out.owner = memory;
  return out;
}

}  // namespace cbir::weights
