#include "torch_objects.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::pickle {
namespace {

constexpr std::size_t kMaxDimensions = 64;
constexpr std::size_t kMaxKey = 256;  // torch.save's are numbers; a long one could be copied millions of times

std::optional<TensorType> storage_type(const Global& type) {
  static constexpr std::array<std::pair<std::string_view, TensorType>, 11> kTypes = {{
      {"FloatStorage", TensorType::float32},
      {"HalfStorage", TensorType::float16},
      {"BFloat16Storage", TensorType::bfloat16},
      {"DoubleStorage", TensorType::float64},
      {"LongStorage", TensorType::int64},
      {"IntStorage", TensorType::int32},
      {"ShortStorage", TensorType::int16},
      {"CharStorage", TensorType::int8},
      {"ByteStorage", TensorType::uint8},
      {"UntypedStorage", TensorType::uint8},
      {"BoolStorage", TensorType::boolean},
  }};
  if (type.module != "torch" && type.module != "torch.storage") return {};
  for (const auto& [known, number] : kTypes)
    if (known == type.name) return number;
  return {};
}

std::uint64_t count(const Value& value, const Place& place) {
  const std::int64_t* number = value.get<std::int64_t>();
  if (!number || *number < 0) place.damaged("a count that is not a number, or is negative");
  return static_cast<std::uint64_t>(*number);
}

std::vector<std::int64_t> integers(const Value& value, const Place& place) {
  const Tuple* tuple = value.get<Tuple>();
  if (!tuple) place.damaged("a shape or stride that is not a tuple");
  if (tuple->items.size() > kMaxDimensions)
    place.damaged(fmt::format("a tensor of more than {} dimensions", kMaxDimensions));
  std::vector<std::int64_t> out;
  for (const Value* item : tuple->items) out.push_back(static_cast<std::int64_t>(count(*item, place)));
  return out;
}

/// _rebuild_tensor and _rebuild_tensor_v2: (storage, offset, shape, stride, requires_grad, backward_hooks, ...)
TensorRef tensor(const Tuple& arguments, const Place& place) {
  if (arguments.items.size() < 4) place.damaged("a tensor with too few arguments");
  const StorageRef* storage = arguments.items[0]->get<StorageRef>();
  if (!storage) place.damaged("a tensor without a storage");
  TensorRef out{storage, static_cast<std::int64_t>(count(*arguments.items[1], place)),
                integers(*arguments.items[2], place), integers(*arguments.items[3], place)};
  if (out.shape.size() != out.stride.size()) place.damaged("a tensor whose shape and stride differ in length");
  return out;
}

/// Python 2 gave the items as a list of [key, value]; later ones set them afterwards.
Dict ordered_dict(const Tuple& arguments, const Place& place) {
  Dict dict;
  if (arguments.items.empty()) return dict;
  const List* pairs = arguments.items[0]->get<List>();
  if (!pairs) place.damaged("an OrderedDict of something that is not a list");
  for (const Value* pair : pairs->items) {
    const List* list = pair->get<List>();
    const Tuple* tuple = pair->get<Tuple>();
    if (!list && !tuple) place.damaged("an OrderedDict's item is not a pair");
    const std::vector<const Value*>& entry = list ? list->items : tuple->items;
    if (entry.size() != 2) place.damaged("an OrderedDict's item is not a pair");
    dict.items.emplace_back(entry[0], entry[1]);
  }
  return dict;
}

}  // namespace

void Place::damaged(std::string_view what) const {
  throw DamagedFile(fmt::format("{}: damaged pickle at byte {}: {}", display_path(file), offset, what));
}

std::optional<Value> call(const Global& function, const Tuple& arguments, const Place& place, std::size_t& copied) {
  if (function.is("collections", "OrderedDict")) {
    Dict dict = ordered_dict(arguments, place);
    copied += dict.items.size();
    return Value{std::move(dict)};
  }
  if (function.module == "torch._tensor" && function.name.starts_with("_rebuild_from_type")) {
    // (function, class, arguments, state): a tensor with attributes, or of a subclass.
    const auto& item = arguments.items;
    const Global* inner = item.size() > 2 ? item[0]->get<Global>() : nullptr;
    const Tuple* inner_arguments = inner ? item[2]->get<Tuple>() : nullptr;
    if (!inner_arguments || inner->module == function.module) return {};
    return call(*inner, *inner_arguments, place, copied);
  }
  if (function.module != "torch._utils") return {};
  if (function.name == "_rebuild_tensor_v2" || function.name == "_rebuild_tensor") {
    TensorRef made = tensor(arguments, place);
    copied += made.shape.size();
    return Value{std::move(made)};
  }
  if (function.name == "_rebuild_parameter" || function.name == "_rebuild_parameter_with_state") {
    const TensorRef* data = arguments.items.empty() ? nullptr : arguments.items[0]->get<TensorRef>();
    if (!data) return {};  // of a kind of tensor that is not read
    copied += data->shape.size();
    return Value{*data};
  }
  return {};
}

namespace {

StorageRef storage_of(const Tuple& tuple, const Place& place) {
  const auto& item = tuple.items;
  const Global* type_name = item[1]->get<Global>();
  const std::string_view* key = item[2]->get<std::string_view>();
  if (!type_name || !key || key->size() > kMaxKey) place.damaged("a persistent id that is not a storage's");
  const std::optional<TensorType> type = storage_type(*type_name);
  if (!type)
    throw Incompatible(fmt::format("{}: holds numbers of type {} (at byte {}), which are not read",
                                   display_path(place.file), display_path(type_name->full()), place.offset));
  StorageRef storage{*type, *key, count(*item[4], place), 0, 0};
  storage.view_elements = storage.elements;
  if (item.size() > 5 && !item[5]->get<None>()) {
    const Tuple* view = item[5]->get<Tuple>();
    if (!view || view->items.size() != 3) place.damaged("a storage's view that is not a triple");
    storage.view_offset = count(*view->items[1], place);
    storage.view_elements = count(*view->items[2], place);
    if (storage.view_offset > storage.elements || storage.view_elements > storage.elements - storage.view_offset)
      place.damaged("a storage's view that lies outside the storage");
  }
  return storage;
}

}  // namespace

Value persistent(const Value& id, const Place& place) {
  const Tuple* tuple = id.get<Tuple>();
  const std::string_view* tag = tuple && !tuple->items.empty() ? tuple->items[0]->get<std::string_view>() : nullptr;
  if (tag && *tag == "storage" && tuple->items.size() >= 5) return {storage_of(*tuple, place)};
  if (tag && *tag == "module" && tuple->items.size() >= 2)
    if (const Global* type = tuple->items[1]->get<Global>()) return {*type};
  place.damaged("a persistent id that is not a storage's");
}

}  // namespace cbir::pickle
