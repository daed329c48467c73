#include "arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {

std::string to_text(const Arguments& arguments) {
  std::string text;
  for (const auto& [key, value] : arguments) text += key + "\t" + tsv_escape(value) + "\n";
  return text;
}

Arguments read_arguments(const std::string& path) {
  Arguments arguments;
  if (!exists(path)) return arguments;
  const std::string text = read_text(path);
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    arguments.emplace_back(line.substr(0, tab), tsv_unescape(line.substr(tab + 1)));
  }
  return arguments;
}

Arguments without_list(const Arguments& arguments) {
  Arguments out;
  for (const auto& pair : arguments)
    if (pair.first != "list" && pair.first != "labels") out.push_back(pair);
  return out;
}

std::string describe_difference(const Arguments& before, const Arguments& now) {
  if (before.empty()) return "nothing is known of how it was made";
  const auto of_texts = [](const Arguments& list) {
    return std::ranges::any_of(list, [](const auto& pair) { return pair.first == "templates"; });
  };
  if (of_texts(before) != of_texts(now)) return of_texts(before) ? "it is made of texts" : "it is made of pictures";
  const auto of_regions = [](const Arguments& list) {
    return std::ranges::any_of(list, [](const auto& pair) { return pair.first == "regions"; });
  };
  if (of_regions(before) != of_regions(now))
    return of_regions(before) ? "its rows are regions of pictures" : "its rows are whole pictures";
  for (const auto& [key, value] : now) {
    const auto other = std::ranges::find(before, key, &Arguments::value_type::first);
    if (other == before.end()) return fmt::format("it was made by a version that knew no {}", key);
    if (other->second == value) continue;
    if (key == "list") return of_texts(now) ? "the texts are others" : "the list of files is another";
    if (key == "templates") return "the templates are others";
    if (key == "labels") return "the labels are others";
    if (key == "regions") return "its regions were found by another detector, or with other options";
    return fmt::format("its {} was {}, not {}", key, display_path(other->second), display_path(value));
  }
  return before.size() == now.size() ? "" : "it was made by a version that knew more options";
}

}  // namespace cbir
