#include "state_dict.hpp"

#include <fmt/format.h>

#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir::weights {
namespace {

using pickle::Dict;
using pickle::TensorRef;
using pickle::Value;

constexpr int kMaxDepth = 16;                  // of nested dicts
constexpr std::size_t kMaxVisits = 1'000'000;  // dicts may be shared, and so nested 2^depth times

const Value* find(const Dict& dict, std::string_view wanted, const std::string& name) {
  const Value* found = nullptr;
  for (const auto& [key, value] : dict.items) {
    const std::string* text = key->get<std::string>();
    if (!text || *text != wanted) continue;
    if (found) throw DamagedFile(fmt::format("{}: the key '{}' is there twice", display_path(name), wanted));
    found = value;
  }
  return found;
}

class Collector {
 public:
  Collector(const Storages& storages, const std::string& name, std::uint64_t copy_limit,
            const std::shared_ptr<const void>& owner)
      : storages_(storages), name_(name), copy_left_(copy_limit), owner_(owner) {}

  void collect(const Dict& dict, const std::string& prefix, int depth) {
    if (depth > kMaxDepth)
      throw ResourceLimit(fmt::format("{}: dicts are nested more than {} deep", file(), kMaxDepth));
    for (const auto& [key, value] : dict.items) {
      if (++visits_ > kMaxVisits)
        throw ResourceLimit(fmt::format("{}: more than {} entries in nested dicts", file(), kMaxVisits));
      const std::string* text = key->get<std::string>();
      if (!text) continue;  // an optimiser's state goes by number
      const std::string full = prefix + *text;
      if (const TensorRef* tensor = value->get<TensorRef>()) {
        if (full.find('\0') != std::string::npos)
          throw DamagedFile(fmt::format("{}: a tensor's name holds a NUL byte", file()));
        if (!tensors_.emplace(full, dense(*tensor, full)).second)
          throw DamagedFile(fmt::format("{}: two tensors are named '{}'", file(), full));
      } else if (const Dict* nested = value->get<Dict>()) {
        collect(*nested, full + ".", depth + 1);
      }
    }
  }

  TensorMap take() { return std::move(tensors_); }

 private:
  std::string file() const { return display_path(name_); }

  [[noreturn]] void damaged(const std::string& tensor, std::string_view what) const {
    throw DamagedFile(fmt::format("{}: tensor '{}' {}", file(), tensor, what));
  }

  /// The number of elements; checks that the last one lies within `available` elements of the storage.
  std::uint64_t check_extent(const TensorRef& ref, std::uint64_t available, const std::string& tensor) const {
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

  static bool is_dense(const TensorRef& ref) {
    std::int64_t expected = 1;
    for (std::size_t d = ref.shape.size(); d-- > 0;) {
      if (ref.shape[d] != 1 && ref.stride[d] != expected) return false;
      expected *= ref.shape[d];
    }
    return true;
  }

  /// Copies a strided view, innermost dimension last.
  static void gather(const TensorRef& ref, const std::byte* from, std::size_t item, std::byte* to) {
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

  Tensor dense(const TensorRef& ref, const std::string& tensor) {
    const pickle::StorageRef& storage = *ref.storage;
    const std::size_t item = item_size(storage.type);
    const std::uint64_t elements = check_extent(ref, storage.view_elements, tensor);
    Tensor out{storage.type, ref.shape, {}, owner_};
    if (elements == 0) return out;
    const std::size_t bytes = static_cast<std::size_t>(elements) * item;
    const auto first = static_cast<std::size_t>(storage.view_offset + static_cast<std::uint64_t>(ref.offset)) * item;
    const Bytes data = storages_.at(storage.key).data;
    if (is_dense(ref)) {
      out.data = data.subspan(first, bytes);
      return out;
    }
    // A stride of 0 makes a tensor as large as you please out of one number.
    if (elements > copy_left_ / item)
      throw ResourceLimit(fmt::format("{}: tensor '{}' would take {} elements, more than the file itself holds", file(),
                                      tensor, elements));
    copy_left_ -= bytes;
    auto memory = std::make_shared<std::vector<std::byte>>(bytes);
    gather(ref, data.data() + first, item, memory->data());
    out.data = *memory;
    out.owner = memory;
    return out;
  }

  const Storages& storages_;
  const std::string& name_;
  std::uint64_t copy_left_;
  std::shared_ptr<const void> owner_;
  std::size_t visits_ = 0;
  TensorMap tensors_;
};

}  // namespace

std::map<std::string, const pickle::StorageRef*> referenced_storages(const pickle::Arena& arena,
                                                                     const std::string& name) {
  std::map<std::string, const pickle::StorageRef*> out;
  for (const Value& value : arena) {
    const pickle::StorageRef* ref = value.get<pickle::StorageRef>();
    if (!ref) continue;
    const auto [entry, fresh] = out.emplace(ref->key, ref);
    if (!fresh && (entry->second->type != ref->type || entry->second->elements != ref->elements))
      throw DamagedFile(fmt::format("{}: storage '{}' is described in two ways", display_path(name), ref->key));
  }
  return out;
}

TensorMap state_dict(const Value& object, const Storages& storages, const std::string& name, std::uint64_t copy_limit,
                     const std::shared_ptr<const void>& owner) {
  const Dict* dict = object.get<Dict>();
  for (const std::string_view key : {"state_dict", "model"}) {
    const Value* inner = dict ? find(*dict, key, name) : nullptr;
    if (inner && inner->get<Dict>()) dict = inner->get<Dict>();
  }
  Collector collector(storages, name, copy_limit, owner);
  if (dict) collector.collect(*dict, "", 0);
  TensorMap tensors = collector.take();
  if (tensors.empty())
    throw Incompatible(
        fmt::format("{}: holds no named tensors; the state_dict of a model was expected", display_path(name)));
  return tensors;
}

}  // namespace cbir::weights
