#include "names.hpp"

#include <algorithm>
#include <unordered_map>

namespace cbir {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

std::string_view without_extension(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return name;
  const std::string_view extension = name.substr(dot + 1);
  const bool is_one = !extension.empty() && extension.size() <= 5 && is_letter(extension.front()) &&
                      std::ranges::all_of(extension, [](char c) { return is_letter(c) || is_digit(c); });
  return is_one ? name.substr(0, dot) : name;
}

/// Folders that two paths have in common, counted from the end.
std::size_t common_folders(std::string_view a, std::string_view b) {
  const auto pop_folder = [](std::string_view& path) {  // of what stands before the last component
    const std::size_t slash = path.rfind('/');
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
    return path.substr(path.rfind('/') + 1);
  };
  std::size_t count = 0;
  for (a = without_dot(a), b = without_dot(b);; ++count) {
    const std::string_view folder = pop_folder(a);
    if (folder.empty() || folder != pop_folder(b)) return count;
  }
}

/// ASCII alone: case in other scripts is not for us to know.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

class Matcher {
 public:
  Matcher(const std::vector<std::string>& items, const std::vector<std::string>& names, std::string_view prefix)
      : items_(items), names_(names), prefix_(prefix) {
    match_.of_item.assign(items.size(), kNoName);
    match_.items.resize(names.size());
  }

  NameMatch run() {
    match_exactly();
    match_stems();
    look_for_other_case();
    return std::move(match_);
  }

 private:
  void take(std::uint32_t item, std::uint32_t name) {
    match_.of_item[item] = name;
    match_.items[name].push_back(item);
  }

  void match_exactly() {
    std::unordered_map<std::string_view, std::uint32_t> numbers;
    for (std::uint32_t name = 0; name < names_.size(); ++name) numbers.try_emplace(without_dot(names_[name]), name);
    for (std::uint32_t item = 0; item < items_.size(); ++item)
      if (const auto found = numbers.find(without_dot(items_[item])); found != numbers.end()) take(item, found->second);
  }

  void match_stems() {
    std::unordered_multimap<std::string_view, std::uint32_t> by_stem;
    for (std::uint32_t name = 0; name < names_.size(); ++name)
      if (match_.items[name].empty()) by_stem.emplace(name_stem(names_[name], prefix_), name);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;  // item, name
    for (std::uint32_t item = 0; item < items_.size(); ++item) {
      if (match_.of_item[item] != kNoName) continue;
      const auto [begin, end] = by_stem.equal_range(name_stem(items_[item], prefix_));
      if (begin == end) continue;
      std::uint32_t best = kNoName;
      std::size_t most = 0;
      bool several = false;
      for (auto each = begin; each != end; ++each) {
        const std::size_t common = common_folders(items_[item], names_[each->second]);
        if (best == kNoName || common > most) {
          best = each->second;
          most = common;
          several = false;
        } else if (common == most) {
          several = true;
        }
      }
      if (several) match_.ambiguous.push_back(item);
      else pairs.emplace_back(item, best);
    }
    keep_nearest(pairs);
  }

  /// Of the items that could be a name, those that have most folders in common with it.
  void keep_nearest(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& pairs) {
    std::vector<std::size_t> most(names_.size());
    for (const auto& [item, name] : pairs)
      most[name] = std::max(most[name], common_folders(items_[item], names_[name]));
    for (const auto& [item, name] : pairs)
      if (common_folders(items_[item], names_[name]) == most[name]) take(item, name);
  }

  void look_for_other_case() {
    std::unordered_map<std::string, std::uint32_t> lost;
    for (std::uint32_t name = 0; name < names_.size(); ++name)
      if (match_.items[name].empty()) lost.emplace(lower(name_stem(names_[name], prefix_)), name);
    if (lost.empty()) return;
    for (std::uint32_t item = 0; item < items_.size(); ++item)
      if (match_.of_item[item] == kNoName && lost.contains(lower(name_stem(items_[item], prefix_))) &&
          !std::ranges::binary_search(match_.ambiguous, item))
        match_.other_case.push_back(item);
  }

  const std::vector<std::string>& items_;
  const std::vector<std::string>& names_;
  std::string_view prefix_;
  NameMatch match_;
};

}  // namespace

std::string_view name_stem(std::string_view path, std::string_view prefix) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (!prefix.empty() && name.size() > prefix.size() && name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return without_extension(name);
}

NameMatch match_names(const std::vector<std::string>& items, const std::vector<std::string>& names,
                      std::string_view prefix) {
  return Matcher(items, names, prefix).run();
}

}  // namespace cbir
