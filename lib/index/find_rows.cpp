#include "lib/index/find_rows.hpp"

#include <unordered_map>

#include <cbir/base/hash.hpp>

namespace cbir {
namespace {

/// Calls visit(place) for each row that is left, in order.
template <typename Visit>
void each_live_row(const OpenedIndex& index, const Visit& visit) {
  for (std::size_t s = 0; s < index.segments.size(); ++s)
    for (std::size_t row = 0; row < index.segments[s].size(); ++row)
      if (index.live[s][row]) visit(RowPlace{s, row});
}

}  // namespace

std::vector<std::vector<RowPlace>> find_paths(const OpenedIndex& index, std::span<const std::string> paths) {
  std::unordered_multimap<std::uint64_t, std::size_t> wanted;
  for (std::size_t i = 0; i < paths.size(); ++i) wanted.emplace(xxh3_64(as_bytes(paths[i])), i);
  std::vector<std::vector<RowPlace>> found(paths.size());
  each_live_row(index, [&](const RowPlace& place) {
    const Segment& segment = index.segments[place.segment];
    auto [first, last] = wanted.equal_range(segment.path_hashes[place.row]);
    if (first == last) return;
    const std::string path = index.parse(segment, place.row).path;
    for (; first != last; ++first)
      if (paths[first->second] == path) found[first->second].push_back(place);
  });
  return found;
}

std::uint64_t label_hash(const RowInfo& row) { return row.label ? xxh3_64(as_bytes(*row.label)) : 0; }

std::vector<RowPlace> find_label(const OpenedIndex& index, std::string_view label) {
  // The label as our own writers put it. Quotes within a string are escaped, so this is a key and its value; that the
  // hash agrees says that it is the row's own. Whatever else is there is parsed.
  const std::string row = to_json_line(RowInfo{.label = std::string(label)});
  const std::size_t start = row.find("\"label\":");
  const std::string usual = start == std::string::npos ? "" : row.substr(start, row.size() - start - 1);
  const std::uint64_t hash = xxh3_64(as_bytes(label));
  std::vector<RowPlace> found;
  each_live_row(index, [&](const RowPlace& place) {
    const Segment& segment = index.segments[place.segment];
    const bool hashed = !segment.label_hashes.empty();
    if (hashed && segment.label_hashes[place.row] != hash) return;
    const bool sure = hashed && !usual.empty() && segment.line(place.row).find(usual) != std::string_view::npos;
    if (sure || index.parse(segment, place.row).label == label) found.push_back(place);
  });
  return found;
}

}  // namespace cbir
