#include "state_dict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

using pickle::Dict;
using pickle::Object;
using pickle::TensorRef;
using pickle::Value;

constexpr int kMaxDepth = 64;  // of nested modules and dicts
constexpr std::uint64_t kMaxVisits = 1'000'000;
constexpr std::string_view kDataParallel = "module.";

bool is_script(const Value& value) {
  const Object* object = value.get<Object>();
  return object && object->type->module.starts_with("__torch__") && object->state && object->state->get<Dict>();
}

/// The strings of a set, which protocol 2 writes as the call set([...]).
std::set<std::string_view> strings_of(const Value* value) {
  if (const Object* call = value ? value->get<Object>() : nullptr; call && call->arguments->get<pickle::Tuple>()) {
    const auto& arguments = call->arguments->get<pickle::Tuple>()->items;
    value = arguments.empty() ? nullptr : arguments[0];
  }
  std::set<std::string_view> out;
  if (const pickle::List* list = value ? value->get<pickle::List>() : nullptr)
    for (const Value* item : list->items)
      if (const std::string_view* text = item->get<std::string_view>()) out.insert(*text);
  return out;
}

class Collector {
 public:
  Collector(FindStorage find, const Source& source)
      : source_(source),
        views_(std::move(find), source.name, source.size),
        // Dicts and modules may be shared, and so be there 2^depth times. In a sound file an entry is some 50 bytes.
        visits_left_(std::min(kMaxVisits, source.size)),
        names_left_(std::min(std::uint64_t{64} << 20, 65536 + 4 * source.size)) {}

  /// Takes the tensor, or the tensors below a dict or a module; ignores anything else. `depth` bounds the recursion.
  void collect(const Value& value, const std::string& name, int depth) {
    if (const TensorRef* tensor = value.get<TensorRef>()) return add(name, views_.dense(*tensor, name));
    const std::string prefix = name.empty() ? name : name + ".";
    if (depth > kMaxDepth)
      throw ResourceLimit(fmt::format("{}: modules or dicts are nested more than {} deep", file(), kMaxDepth));
    if (const Dict* state = module_state(value)) return collect_module(*state, prefix, depth);
    if (is_script(value)) return collect_script(*value.get<Object>(), prefix, depth);
    if (const Dict* dict = dict_of(value)) return collect_dict(*dict, prefix, depth);
    const Object* object = value.get<Object>();
    if (!object) return;
    if (Views::is_numpy(*object)) {
      if (arrays_) add(name, views_.numpy(*object, name));
      return;
    }
    if (object->type->module == "torch._utils" && object->type->name.starts_with("_rebuild_"))
      throw Incompatible(
          fmt::format("{}: tensor '{}' is made by {}: of a kind (sparse, quantised, ...) or type of number "
                      "that is not read",
                      file(), name, display_path(object->type->full())));
    if (other_.empty()) other_ = object->type->full();
  }

  /// Whether arrays of numpy's count as tensors.
  void take_arrays(bool arrays) { arrays_ = arrays; }
  TensorMap& tensors() { return tensors_; }
  /// The class of an object that was passed over, if any.
  const std::string& other() const { return other_; }

 private:
  std::string file() const { return display_path(source_.name); }

  /// A name below `prefix`; counts it. Empty for keys that are not text: an optimiser's state goes by number.
  std::string entry_name(const std::string& prefix, const Value& key) {
    if (visits_left_-- == 0)
      throw ResourceLimit(fmt::format("{}: more entries in nested dicts than the file has room for", file()));
    const std::string_view* text = key.get<std::string_view>();
    if (!text) return {};
    if (prefix.size() + text->size() > names_left_)
      throw ResourceLimit(fmt::format("{}: the names of its tensors are longer than the file has room for", file()));
    names_left_ -= prefix.size() + text->size();
    return prefix + std::string(*text);
  }

  void collect_dict(const Dict& dict, const std::string& prefix, int depth) {
    for (const auto& [key, value] : dict.items)
      if (const std::string name = entry_name(prefix, *key); !name.empty()) collect(*value, name, depth + 1);
  }

  void collect_module(const Dict& state, const std::string& prefix, int depth) {
    const auto skipped = strings_of(find(state, "_non_persistent_buffers_set"));
    for (const std::string_view part : {"_parameters", "_buffers", "_modules"}) {
      const Value* members = find(state, part);
      const Dict* dict = members ? dict_of(*members) : nullptr;
      if (!dict) continue;
      for (const auto& [key, value] : dict->items) {
        const std::string name = entry_name(prefix, *key);
        if (name.empty()) continue;
        if (part == "_buffers" && skipped.contains(*key->get<std::string_view>())) continue;
        collect(*value, name, depth + 1);
      }
    }
  }

  void collect_script(const Object& object, const std::string& prefix, int depth) {
    const TorchScriptCode::Class* code = source_.code ? &source_.code->look_up(*object.type) : nullptr;
    if (code && !code->module) return;
    for (const auto& [key, value] : object.state->get<Dict>()->items) {
      const std::string name = entry_name(prefix, *key);
      if (name.empty()) continue;
      const bool counts = !code || !code->known || code->tensors.contains(*key->get<std::string_view>());
      if (value->get<TensorRef>() ? counts : is_script(*value)) collect(*value, name, depth + 1);
    }
  }

  void add(const std::string& name, Tensor tensor) {
    if (name.find('\0') != std::string::npos)
      throw DamagedFile(fmt::format("{}: a tensor's name holds a NUL byte", file()));
    if (!tensors_.emplace(name, std::move(tensor)).second)
      throw DamagedFile(fmt::format("{}: two tensors are named '{}'", file(), name));
  }

  const Source& source_;
  Views views_;
  std::uint64_t visits_left_, names_left_;
  bool arrays_ = false;
  TensorMap tensors_;
  std::string other_;
};

/// The entry of a checkpoint's own dict; null if there is none.
const Value* part(const Dict& dict, std::string_view key, const std::string& file) {
  bool twice = false;
  const Value* found = find(dict, key, &twice);
  if (twice) throw DamagedFile(fmt::format("{}: the key '{}' is there twice", display_path(file), key));
  return found;
}

/// Takes "module." away if all names have it.
void strip_data_parallel(TensorMap& tensors) {
  if (!std::ranges::all_of(tensors, [](const auto& entry) { return entry.first.starts_with(kDataParallel); })) return;
  TensorMap renamed;
  for (auto& [name, tensor] : tensors) renamed.emplace(name.substr(kDataParallel.size()), std::move(tensor));
  tensors = std::move(renamed);
}

}  // namespace

const Dict* module_state(const Value& value) {
  const Object* object = value.get<Object>();
  const Dict* state = object && object->state ? object->state->get<Dict>() : nullptr;
  return state && find(*state, "_modules") && find(*state, "_parameters") ? state : nullptr;
}

const Value& model_of(const Value& object, const std::string& file) {
  const Dict* dict = module_state(object) ? nullptr : dict_of(object);
  if (!dict) return object;
  const Value* average = part(*dict, "ema", file);
  if (average && module_state(*average)) return *average;
  for (const std::string_view key : {"state_dict", "model_state_dict", "model"}) {
    const Value* inner = part(*dict, key, file);
    if (inner && (module_state(*inner) || dict_of(*inner))) return *inner;
  }
  return object;
}

TensorMap state_dict(const Value& object, FindStorage find, const Source& source) {
  Collector collector(std::move(find), source);
  const Value& model = model_of(object, source.name);
  collector.collect(model, "", 0);
  TensorMap& tensors = collector.tensors();
  if (tensors.empty() || tensors.begin()->first.empty())
    throw Incompatible(
        fmt::format("{}: holds no named tensors{}; the state_dict of a model, or the model, was expected",
                    display_path(source.name),
                    collector.other().empty() ? "" : ", but an object of class " + display_path(collector.other())));
  strip_data_parallel(tensors);
  const Dict* checkpoint = &model == &object ? nullptr : dict_of(object);
  if (const Value* meta = checkpoint ? part(*checkpoint, "meta", source.name) : nullptr; meta && dict_of(*meta)) {
    collector.take_arrays(true);
    collector.collect(*meta, "meta", 0);
  }
  return std::move(tensors);
}

}  // namespace cbir::weights
