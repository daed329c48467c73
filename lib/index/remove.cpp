#include <fmt/format.h>

#include <map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "lib/index/change.hpp"
#include "lib/index/find_rows.hpp"

namespace cbir {

std::uint64_t write_tombstones(ContainerAppender& appender, const OpenedIndex& index,
                               const std::vector<RowPlace>& rows) {
  std::map<std::size_t, std::vector<std::uint64_t>> changed;
  std::uint64_t count = 0;
  for (const RowPlace& place : rows) {
    const Segment& segment = index.segments[place.segment];
    std::vector<std::uint64_t>& words = changed[place.segment];
    if (words.empty()) {
      words.assign(segment.removed.begin(), segment.removed.end());
      words.resize((segment.size() + 63) / 64);
    }
    const std::uint64_t bit = std::uint64_t{1} << place.row % 64;
    if ((words[place.row / 64] & bit) == 0) ++count;
    words[place.row / 64] |= bit;
  }
  for (const auto& [number, words] : changed) {
    const std::uint32_t segment = index.segments[number].number;
    appender.retire(segment, SectionKind::tombstones);
    appender.section(segment, SectionKind::tombstones, ElementType::uint64, std::span(words));
  }
  return count;
}

ChangeReport remove_rows(ContainerAppender& appender, const RowSelection& selection) {
  if (selection.paths.empty() && selection.labels.empty()) throw UsageError("nothing was said to be removed");
  const OpenedIndex index(appender.take_current());
  std::vector<RowPlace> rows;
  const auto take = [&](const std::vector<RowPlace>& found, std::string_view what, const std::string& name) {
    if (found.empty())
      throw MissingInput(fmt::format("{}: there is no row of {} {}; nothing was removed",
                                     display_path(index.container.name()), what, display_path(name)));
    rows.insert(rows.end(), found.begin(), found.end());
  };
  const std::vector<std::vector<RowPlace>> found = find_paths(index, selection.paths);
  for (std::size_t i = 0; i < found.size(); ++i) take(found[i], "path", selection.paths[i]);
  for (const std::string& label : selection.labels) take(find_label(index, label), "label", label);
  const std::uint64_t removed = write_tombstones(appender, index, rows);
  return {
      .removed = removed, .rows = index.info.rows - removed, .bytes = appender.commit(index.container.root().next_id)};
}

ChangeReport remove_from_index(const std::string& path, const RowSelection& selection) {
  ContainerAppender appender(path);
  return remove_rows(appender, selection);
}

}  // namespace cbir
