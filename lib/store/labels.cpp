#include <cbir/store/labels.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

std::optional<std::string> parent_label(std::string_view path) {
  std::size_t end = path.rfind('/');
  while (end != std::string_view::npos) {
    const std::size_t slash = end == 0 ? std::string_view::npos : path.rfind('/', end - 1);
    const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    const std::string_view name = path.substr(begin, end - begin);
    if (name == "..") return {};
    if (!name.empty() && name != ".") return std::string(name);
    end = slash;  // "a//b.jpg" and "a/./b.jpg" lie in a
  }
  return {};
}

LabelTable::LabelTable(const std::string& tsv_path) : name_(tsv_path) {
  const std::string text = read_text(tsv_path);
  std::string_view rest = text;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = rest.find('\n');
    std::string_view row = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const auto fields = split(row, '\t');
    if (fields.size() < 2)
      throw DamagedFile(fmt::format("{} line {}: no tab found, expected: path, tab, label", display_path(name_), line));
    std::string path = tsv_unescape(fields[0]);
    while (path.starts_with("./")) path.erase(0, 2);
    const std::string label = tsv_unescape(fields[1]);
    const auto [entry, added] = entries_.try_emplace(std::move(path), Entry{label, line, 0});
    if (!added && entry->second.label != label) entry->second.other_line = line;
  }
}

std::optional<std::string> LabelTable::label_of(std::string_view path) const {
  const Entry* found = nullptr;
  const auto ambiguous = [&](std::size_t one, std::size_t other) {
    return Incompatible(fmt::format("{} lines {} and {} give {} different labels; name more of its folders there",
                                    display_path(name_), std::min(one, other), std::max(one, other),
                                    display_path(path)));
  };
  std::size_t begin = 0;
  for (;;) {  // the path, then what is left of it without its first folder, and so on
    const auto entry = entries_.find(std::string(path.substr(begin)));
    if (entry != entries_.end()) {
      const Entry& match = entry->second;
      if (match.other_line) throw ambiguous(match.line, match.other_line);
      if (found && found->label != match.label) throw ambiguous(found->line, match.line);
      found = &match;
    }
    const std::size_t slash = path.find('/', begin);
    if (slash == std::string_view::npos) break;
    begin = slash + 1;
  }
  if (!found)
    throw Incompatible(fmt::format("{}: no line gives a label for {}", display_path(name_), display_path(path)));
  if (found->label.empty()) return {};
  return found->label;
}

}  // namespace cbir
