#pragma once
/// Parts of a list that are extracted apart from each other, perhaps on different machines, and joined by seq.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cbir {

/// A list has at most so many parts.
constexpr std::uint64_t kMostShards = 1'000'000;

/// Parts of a list, and the list.
struct Shards {
  std::vector<std::uint64_t> parts = {};  ///< from 1, ascending
  std::uint64_t of = 0;                   ///< how many there are
  std::uint64_t items = 0;                ///< of the whole list
  std::string list = {};                  ///< digest of the whole list

  bool operator==(const Shards&) const = default;
};

/// What is wrong with parts that a file speaks of: they ascend, from 1 to `of`, which is at most kMostShards. Empty if
/// nothing is.
std::string fault_of(const Shards& shards);

/// What is joined: a set or an index by its name, and the parts that it has, if it is not whole by itself.
struct ShardSource {
  std::string name;
  std::optional<Shards> shards;
};

/// The parts that the sources, without faults each, have together; nothing if these are all, or none is of a part.
/// Throws Incompatible if only some are of parts, if these are of different lists, or if one comes twice; MissingInput,
/// naming the missing ones, if some are, unless `partial`.
std::optional<Shards> join_shards(const std::vector<ShardSource>& sources, bool partial);

/// The part, from 1, that a path belongs to: XXH3-64 of its bytes, modulo the number of parts, and one.
std::uint64_t part_of_path(const std::string& path, std::uint64_t of);

/// NAME's part: "photos.2-of-4".
std::string shard_name(const std::string& name, std::uint64_t part, std::uint64_t of);

/// "photos.*-of-4" as the names of all those parts of it that are there; any other name as it is.
std::vector<std::string> expand_shards(const std::vector<std::string>& names);

}  // namespace cbir
