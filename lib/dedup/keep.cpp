#include "lib/dedup/keep.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

std::uint64_t pixels(const RowInfo& info) {
  return static_cast<std::uint64_t>(std::max(info.width.value_or(0), 0)) *
         static_cast<std::uint64_t>(std::max(info.height.value_or(0), 0));
}

/// What is the greatest is kept.
std::tuple<std::uint64_t, std::uint64_t> rank_of(const RowInfo& info, Keep keep) {
  switch (keep) {
    case Keep::largest:
      return {pixels(info), info.bytes.value_or(0)};
    case Keep::oldest:  // times as unsigned numbers in the same order, turned round
      return {info.mtime ? ~(static_cast<std::uint64_t>(*info.mtime) ^ std::uint64_t{1} << 63) : 0, info.mtime ? 1 : 0};
    case Keep::first:
      break;
  }
  return {};
}

}  // namespace

Keep parse_keep(std::string_view name) {
  if (name == "largest") return Keep::largest;
  if (name == "oldest") return Keep::oldest;
  if (name == "first") return Keep::first;
  throw UsageError(fmt::format("--keep {}: expected largest, oldest or first", display_path(name)));
}

std::size_t choose_kept(const std::vector<Member>& members, Keep keep) {
  const auto best = std::ranges::max_element(  // of equals the first
      members, {}, [&](const Member& member) { return rank_of(member.info, keep); });
  return static_cast<std::size_t>(best - members.begin());
}

bool says(const std::vector<Member>& members, Keep keep) {
  return std::ranges::any_of(members, [&](const Member& member) {
    return keep == Keep::first || rank_of(member.info, keep) != std::tuple<std::uint64_t, std::uint64_t>{};
  });
}

std::size_t remove_same_files(std::vector<Member>& members) {
  std::set<std::string> paths;
  std::set<std::pair<dev_t, ino_t>> files;
  return std::erase_if(members, [&](const Member& member) {
    if (member.info.text) return false;
    if (!paths.insert(member.info.path).second) return true;
    if (!member.info.picture.empty()) return false;  // a part of a file, and called by another name
    struct stat status {};
    return stat(member.info.path.c_str(), &status) == 0 && !files.emplace(status.st_dev, status.st_ino).second;
  });
}

}  // namespace cbir
