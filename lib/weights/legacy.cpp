#include "legacy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>
#include <cbir/weights/pickle.hpp>

#include "state_dict.hpp"

namespace cbir::weights {
namespace {

// LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c. Before it stand PROTO (2 bytes) and, from protocol 4 on, FRAME (9 bytes).
constexpr std::string_view kMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocol = 1001;

using References = std::map<std::string_view, const pickle::StorageRef*>;
using Storages = std::map<std::string_view, Bytes>;

/// All storages that a pickled object refers to, by key; each with the type and the number of elements that it states.
References referenced_storages(const pickle::Arena& arena, const std::string& name) {
  References out;
  for (const pickle::Value& value : arena) {
    const pickle::StorageRef* ref = value.get<pickle::StorageRef>();
    if (!ref) continue;
    const auto [entry, fresh] = out.emplace(ref->key, ref);
    if (!fresh && (entry->second->type != ref->type || entry->second->elements != ref->elements))
      throw DamagedFile(fmt::format("{}: storage '{}' is described in two ways", display_path(name), ref->key));
  }
  return out;
}

void check_head(ByteReader& reader) {
  pickle::Arena arena;
  pickle::load(reader, arena);  // the magic number, which is_legacy_checkpoint has seen
  const std::size_t at = reader.offset();
  const std::int64_t* protocol = pickle::load(reader, arena).get<std::int64_t>();
  if (!protocol || *protocol != kProtocol)
    throw DamagedFile(
        fmt::format("{}: the protocol version at byte {} is not {}", display_path(reader.name()), at, kProtocol));
  const pickle::Dict* facts = pickle::load(reader, arena).get<pickle::Dict>();
  const pickle::Value* order = facts ? pickle::find(*facts, "little_endian") : nullptr;
  if (!order || !order->get<bool>())
    throw DamagedFile(fmt::format("{}: does not state its byte order", display_path(reader.name())));
  if (!*order->get<bool>())
    throw Incompatible(
        fmt::format("{}: written by a big-endian machine; save it again on another", display_path(reader.name())));
}

/// The raw storages, in the order of their keys, up to the end of the file.
Storages read_storages(ByteReader& reader, const pickle::Value& keys, const References& referenced) {
  const std::string file = display_path(reader.name());
  const pickle::List* list = keys.get<pickle::List>();
  if (!list)
    throw DamagedFile(fmt::format("{}: the list of storages before byte {} is no list", file, reader.offset()));
  Storages storages;
  for (const pickle::Value* item : list->items) {
    const std::string_view* key = item->get<std::string_view>();
    const auto known = key ? referenced.find(*key) : referenced.end();
    if (known == referenced.end())
      throw DamagedFile(
          fmt::format("{}: the list of storages before byte {} names one that no tensor uses", file, reader.offset()));
    const pickle::StorageRef& ref = *known->second;
    const std::size_t at = reader.offset();
    const auto elements = reader.read<std::uint64_t>("a storage's size");
    if (elements != ref.elements)
      throw DamagedFile(fmt::format("{}: storage '{}' at byte {} has {} elements, {} were announced", file, *key, at,
                                    elements, ref.elements));
    const std::size_t item_bytes = item_size(ref.type);
    if (elements > reader.remaining() / item_bytes)
      throw DamagedFile(fmt::format(
          "{}: the file ends within storage '{}': {} elements of {} bytes wanted at byte {}, {} bytes are there", file,
          *key, elements, item_bytes, reader.offset(), reader.remaining()));
    const Bytes data = reader.take(static_cast<std::size_t>(elements) * item_bytes, "a storage");
    if (!storages.emplace(*key, data).second)
      throw DamagedFile(fmt::format("{}: storage '{}' at byte {} was there before", file, *key, at));
  }
  if (storages.size() != referenced.size())
    throw DamagedFile(
        fmt::format("{}: holds {} storages, its tensors refer to {}", file, storages.size(), referenced.size()));
  if (reader.remaining() != 0)
    throw DamagedFile(fmt::format("{}: {} bytes follow the last storage, which ends at byte {}", file,
                                  reader.remaining(), reader.offset()));
  return storages;
}

}  // namespace

bool is_legacy_checkpoint(Bytes file) {
  const std::string_view text = as_text(file);
  return text.starts_with('\x80') &&
         (text.substr(0, 2 + kMagic.size()).ends_with(kMagic) || text.substr(0, 11 + kMagic.size()).ends_with(kMagic));
}

void use_legacy_checkpoint(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner,
                           const UseObject& use) {
  ByteReader reader(file, name);
  check_head(reader);
  pickle::Arena arena;
  const pickle::Value& object = pickle::load(reader, arena);
  const References referenced = referenced_storages(arena, name);
  pickle::Arena key_arena;
  const pickle::Value& keys = pickle::load(reader, key_arena);
  const Storages storages = read_storages(reader, keys, referenced);
  const FindStorage find = [&](const pickle::StorageRef& ref) { return Storage{storages.at(ref.key), owner}; };
  use(object, find, {name, file.size(), nullptr});
}

TensorMap read_legacy_checkpoint(Bytes file, const std::string& name, const std::shared_ptr<const void>& owner) {
  TensorMap tensors;
  use_legacy_checkpoint(file, name, owner, [&](const auto&... checkpoint) { tensors = state_dict(checkpoint...); });
  return tensors;
}

}  // namespace cbir::weights
