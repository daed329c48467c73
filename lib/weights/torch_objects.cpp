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

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";

std::optional<TensorType> storage_type(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, TensorType>, 11> kTypes = {{
      {"torch.FloatStorage", TensorType::float32},
      {"torch.HalfStorage", TensorType::float16},
      {"torch.BFloat16Storage", TensorType::bfloat16},
      {"torch.DoubleStorage", TensorType::float64},
      {"torch.LongStorage", TensorType::int64},
      {"torch.IntStorage", TensorType::int32},
      {"torch.ShortStorage", TensorType::int16},
      {"torch.CharStorage", TensorType::int8},
      {"torch.ByteStorage", TensorType::uint8},
      {"torch.UntypedStorage", TensorType::uint8},
      {"torch.BoolStorage", TensorType::boolean},
  }};
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
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

/// (storage, offset, shape, stride, requires_grad, backward_hooks, ...)
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

bool is_known_global(std::string_view name) {
  return name == kOrderedDict || name == kRebuildTensor || name == kRebuildParameter || storage_type(name).has_value();
}

Value call(const Global& function, const Tuple& arguments, const Place& place, std::size_t& copied) {
  if (function.name == kOrderedDict) {
    Dict dict = ordered_dict(arguments, place);
    copied += dict.items.size();
    return {std::move(dict)};
  }
  if (function.name == kRebuildTensor) {
    TensorRef made = tensor(arguments, place);
    copied += made.shape.size();
    return {std::move(made)};
  }
  if (function.name == kRebuildParameter) {
    const TensorRef* data = arguments.items.empty() ? nullptr : arguments.items[0]->get<TensorRef>();
    if (!data) place.damaged("a parameter without a tensor");
    copied += data->shape.size();
    return {*data};
  }
  place.damaged("a call of " + function.name);
}

StorageRef storage_of(const Value& id, const Place& place) {
  const Tuple* tuple = id.get<Tuple>();
  if (!tuple || tuple->items.size() < 5) place.damaged("a persistent id that is not a storage's");
  const auto& item = tuple->items;
  const std::string* tag = item[0]->get<std::string>();
  const Global* type_name = item[1]->get<Global>();
  const std::string* key = item[2]->get<std::string>();
  const std::optional<TensorType> type = type_name ? storage_type(type_name->name) : std::nullopt;
  if (!tag || *tag != "storage" || !type || !key || key->size() > kMaxKey)
    place.damaged("a persistent id that is not a storage's");
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

}  // namespace cbir::pickle
