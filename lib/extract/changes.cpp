#include <algorithm>
#include <cstring>
#include <map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "input.hpp"
#include "update.hpp"

namespace cbir {
namespace {

/// What is compared of a new item.
struct NewItem {
  std::string name;
  std::uint64_t seq = 0;
  std::optional<Content> content;  ///< of a row
};

std::vector<NewItem> read_items(const std::string& rows_path, const std::string& failed_path, ItemRows kind) {
  const MappedFile rows_file(rows_path), failed_file(failed_path);
  const auto lines = [](const MappedFile& file) {
    std::vector<std::string_view> out = split(as_text(file.bytes()), '\n');
    out.pop_back();  // behind the last newline
    return out;
  };
  const std::vector<std::string_view> rows = lines(rows_file), failed = lines(failed_file);
  std::vector<NewItem> items(rows.size() + failed.size());
  parallel_blocks(rows.size(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const RowInfo row = parse_row(rows[i], rows_path);
      items[i] = {.name = item_name(row, kind), .seq = row.seq.value_or(0), .content = content_of(row, kind)};
    }
  });
  for (std::size_t i = 0; i < failed.size(); ++i) {
    FailedItem item = parse_failed_item(failed[i], failed_path);
    items[rows.size() + i] = {.name = std::move(item.path), .seq = item.seq, .content = {}};
  }
  std::ranges::stable_sort(items, {}, &NewItem::seq);
  if (kind == ItemRows::one) return items;
  // Of the rows of one picture the last stands for all: a failure, if there is one, as in Previous.
  std::vector<NewItem> last;
  for (NewItem& item : items) {
    if (!last.empty() && last.back().seq == item.seq) last.back() = std::move(item);
    else last.push_back(std::move(item));
  }
  return last;
}

struct LessContent {
  bool operator()(const Content& a, const Content& b) const {
    return std::tie(a.xxh3, a.bytes, a.box) < std::tie(b.xxh3, b.bytes, b.box);
  }
};

}  // namespace

Changes compare(const Previous& before, const std::string& rows, const std::string& failed, const std::string& stamps) {
  const std::vector<NewItem> items = read_items(rows, failed, before.kind());
  const MappedFile stamps_file(stamps);
  const auto unchanged_failure = [&](std::size_t item, std::size_t old) {
    Stamp now;
    std::memcpy(&now, stamps_file.bytes().data() + item * sizeof now, sizeof now);
    const Stamp then = before.stamp(old);
    return now.size == then.size && now.mtime == then.mtime;  // wherever it is kept now
  };
  Changes changes;
  std::vector<bool> seen(before.size());
  std::vector<const NewItem*> fresh;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const NewItem& item = items[i];
    const auto old = i < before.size() && before.name(i) == item.name ? i : before.find(item.name);
    if (!old) {
      fresh.push_back(&item);
      continue;
    }
    seen[*old] = true;
    const bool same = before.rows(*old) > 0 ? item.content && *item.content == before.content(*old)
                                            : !item.content && unchanged_failure(i, *old);
    ++(same ? changes.unchanged : changes.changed);
  }
  std::map<Content, std::uint64_t, LessContent> gone;
  for (std::size_t old = 0; old < before.size(); ++old) {
    if (seen[old]) continue;
    ++changes.deleted;
    if (before.rows(old) > 0) ++gone[before.content(old)];
  }
  for (const NewItem* item : fresh) {
    const auto found = item->content ? gone.find(*item->content) : gone.end();
    if (found == gone.end() || found->second == 0) {
      ++changes.added;
      continue;
    }
    --found->second;
    --changes.deleted;
    ++changes.moved;
  }
  return changes;
}

}  // namespace cbir
