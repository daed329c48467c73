#include <cbir/store/shard.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/store/set.hpp>

namespace cbir {
namespace {

constexpr std::string_view kAllParts = ".*-of-";

/// What a source is called without its own parts, as "photos" of "photos.2-of-4"; empty if it is called otherwise.
std::string common_name(const std::string& name, const Shards& shards) {
  if (shards.parts.size() != 1) return "";
  const std::string stem = base_name(set_paths(name).npy);
  const std::string suffix = shard_name("", shards.parts.front(), shards.of) + ".npy";
  return stem.ends_with(suffix) ? stem.substr(0, stem.size() - suffix.size()) : "";
}

[[noreturn]] void refuse_mixture(const ShardSource& shard, const ShardSource& other) {
  throw Incompatible(
      fmt::format("{} is a part of a list, {} is none: join the parts by themselves, and the rest to the "
                  "result",
                  display_path(shard.name), display_path(other.name)));
}

[[noreturn]] void report_missing(const std::vector<ShardSource>& sources, const std::vector<std::uint64_t>& missing,
                                 std::uint64_t of) {
  std::vector<std::string> names;
  const std::string stem = common_name(sources.front().name, *sources.front().shards);
  constexpr std::size_t kNamed = 10;
  for (const std::uint64_t part : missing) {
    if (names.size() == kNamed) break;
    names.push_back(stem.empty() ? fmt::format("{}", part) : display_path(shard_name(stem, part, of)));
  }
  throw MissingInput(fmt::format("of {} parts {} missing: {}{}; extract {}, or take what there is with --partial", of,
                                 missing.size() == 1 ? "1 is" : fmt::format("{} are", missing.size()),
                                 fmt::join(names, ", "), missing.size() > kNamed ? ", ..." : "",
                                 missing.size() == 1 ? "it" : "them"));
}

}  // namespace

std::string fault_of(const Shards& shards) {
  if (shards.of > kMostShards) return fmt::format("is of {} parts, at most {} are known", shards.of, kMostShards);
  std::uint64_t before = 0;
  for (const std::uint64_t part : shards.parts) {
    if (part <= before || part > shards.of)
      return fmt::format("has part {} of {}{}", part, shards.of, before == 0 ? "" : fmt::format(" after {}", before));
    before = part;
  }
  return before == 0 ? "has no parts" : "";
}

std::optional<Shards> join_shards(const std::vector<ShardSource>& sources, bool partial) {
  const ShardSource* first = nullptr;
  for (const ShardSource& source : sources)
    if (source.shards && !first) first = &source;
  if (!first) return {};
  Shards all = *first->shards;
  std::map<std::uint64_t, const ShardSource*> holders;
  for (const ShardSource& source : sources) {
    if (!source.shards) refuse_mixture(*first, source);
    const Shards& shards = *source.shards;
    if (shards.of != all.of || shards.list != all.list || shards.items != all.items)
      throw Incompatible(
          fmt::format("{} and {} are parts of different lists ({} parts of {}, {} of {}): files were added "
                      "or removed in between; extract them of one list",
                      display_path(first->name), display_path(source.name), all.of, counted(all.items, "item"),
                      shards.of, counted(shards.items, "item")));
    for (const std::uint64_t part : shards.parts)
      if (const auto [holder, added] = holders.emplace(part, &source); !added)
        throw Incompatible(fmt::format("{} and {} both hold part {} of {}", display_path(holder->second->name),
                                       display_path(source.name), part, all.of));
  }
  all.parts.clear();
  std::vector<std::uint64_t> missing;
  for (std::uint64_t part = 1; part <= all.of; ++part) (holders.contains(part) ? all.parts : missing).push_back(part);
  if (missing.empty()) return {};
  if (!partial) report_missing(sources, missing, all.of);
  return all;
}

std::uint64_t part_of_path(const std::string& path, std::uint64_t of) { return xxh3_64(as_bytes(path)) % of + 1; }

std::string shard_name(const std::string& name, std::uint64_t part, std::uint64_t of) {
  return fmt::format("{}.{}-of-{}", name, part, of);
}

std::vector<std::string> expand_shards(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const std::size_t at = name.rfind(kAllParts);
    std::uint64_t of = 0;
    if (at == std::string::npos || !parse_number(std::string_view(name).substr(at + kAllParts.size()), of)) {
      out.push_back(name);
      continue;
    }
    const std::size_t before = out.size();
    for (std::uint64_t part = 1; part <= std::min(of, kMostShards); ++part)
      if (std::string shard = shard_name(name.substr(0, at), part, of); exists(set_paths(shard).manifest))
        out.push_back(std::move(shard));
    if (out.size() == before) throw MissingInput(fmt::format("{}: none of the parts is there", display_path(name)));
  }
  return out;
}

}  // namespace cbir
