#include "previous.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

std::uint64_t hash_of(std::string_view name) { return xxh3_64(as_bytes(name)); }

std::uint64_t hash_of(const Content& content) {
  std::string key = fmt::format("{} {}", content.xxh3, content.bytes);
  if (content.box) key += fmt::format(" {}", fmt::join(*content.box, " "));
  return hash_of(key);
}

}  // namespace

/// What is kept of the line of a row, or of a failure.
struct Previous::Seen {
  std::string name;
  std::uint64_t seq = 0, content = 0;
  std::uint32_t number = 0;  ///< of the row, or of the failure
  bool failed = false;
};

Content content_of(const RowInfo& row, ItemRows rows) {
  return {row.xxh3, row.bytes.value_or(0), rows == ItemRows::one ? row.box : std::nullopt};
}

const std::string& item_name(const RowInfo& row, ItemRows rows) {
  return rows == ItemRows::one ? row.path : row.picture_path();
}

Previous::Previous(const std::string& set_name, const std::string& stamps, ItemRows rows)
    : set_(EmbeddingSet::open(set_name)), stamps_(stamps), kind_(rows) {
  const SetPaths paths = set_paths(set_name);
  read_failures(paths.failed);
  std::vector<Seen> seen = seen_lines(paths.rows);
  std::ranges::stable_sort(seen, {}, &Seen::seq);
  for (std::size_t first = 0, last = 0; first < seen.size(); first = last) {
    last = first + 1;
    while (kind_ == ItemRows::regions && last < seen.size() && seen[last].seq == seen[first].seq) ++last;
    add_item(seen, first, last);
  }
  if (stamps_.bytes().size() != items_.size() * sizeof(Stamp))
    throw DamagedFile(fmt::format("{}: found {}, expected {}: one for each item of {}", display_path(stamps),
                                  counted(stamps_.bytes().size(), "byte"), items_.size() * sizeof(Stamp),
                                  display_path(paths.manifest)));
  std::ranges::sort(by_name_);
  std::ranges::sort(by_content_);
}

/// Rows, and behind them failures, which stand for their item if it has both.
std::vector<Previous::Seen> Previous::seen_lines(const std::string& rows_path) const {
  std::vector<Seen> seen(set_.rows() + failures_.size());
  parallel_blocks(set_.rows(), 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const RowInfo row = set_.row(i);
      if (!row.seq) throw DamagedFile(fmt::format("{} line {}: has no \"seq\"", display_path(rows_path), i + 1));
      seen[i] = {.name = item_name(row, kind_),
                 .seq = *row.seq,
                 .content = hash_of(content_of(row, kind_)),
                 .number = static_cast<std::uint32_t>(i)};
    }
  });
  for (std::size_t i = 0; i < failures_.size(); ++i)
    seen[set_.rows() + i] = {
        .name = failures_[i].path, .seq = failures_[i].seq, .number = static_cast<std::uint32_t>(i), .failed = true};
  return seen;
}

void Previous::add_item(const std::vector<Seen>& seen, std::size_t first, std::size_t last) {
  const Seen &one = seen[first], &end = seen[last - 1];
  const auto item = static_cast<std::uint32_t>(items_.size());
  items_.push_back({.first = end.failed ? end.number : one.number,
                    .rows = end.failed ? 0 : static_cast<std::uint32_t>(last - first)});
  names_ += end.failed ? end.name : one.name;
  name_ends_.push_back(names_.size());
  by_name_.emplace_back(hash_of(end.failed ? end.name : one.name), item);
  if (!end.failed) by_content_.emplace_back(one.content, item);
}

void Previous::read_failures(const std::string& path) {
  const std::string text = read_text(path);
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (!line.empty())
      failures_.push_back(parse_failed_item(line, fmt::format("{} line {}", display_path(path), number)));
  }
  if (failures_.size() != manifest().failed)
    throw DamagedFile(fmt::format("{}: found {}, expected {}, as the manifest says", display_path(path),
                                  counted(failures_.size(), "line"), manifest().failed));
}

std::string_view Previous::name(std::size_t item) const {
  const std::uint64_t begin = item == 0 ? 0 : name_ends_[item - 1];
  return std::string_view(names_).substr(begin, name_ends_[item] - begin);
}

std::optional<std::size_t> Previous::find(std::string_view wanted) const {
  const std::uint64_t hash = hash_of(wanted);
  for (auto at = std::ranges::lower_bound(by_name_, std::pair(hash, 0U)); at != by_name_.end() && at->first == hash;
       ++at)
    if (name(at->second) == wanted) return at->second;
  return {};
}

std::optional<std::size_t> Previous::find(const Content& content) const {
  const std::uint64_t hash = hash_of(content);
  for (auto at = std::ranges::lower_bound(by_content_, std::pair(hash, 0U));
       at != by_content_.end() && at->first == hash; ++at)
    if (this->content(at->second) == content) return at->second;
  return {};
}

Stamp Previous::stamp(std::size_t item) const {
  Stamp out;
  std::memcpy(&out, stamps_.bytes().data() + item * sizeof out, sizeof out);
  return out;
}

void Previous::read_vector(std::size_t item, std::size_t number, float* out) const {
  set_.matrix().read(items_[item].first + number, 1, out);
}

}  // namespace cbir
