#pragma once
/// Lines and words of other people's text files.

#include <algorithm>
#include <string_view>
#include <vector>

#include <cbir/base/text.hpp>

namespace cbir {

/// Lines that are not blank, without blanks at their ends (nor the carriage returns of Windows).
inline std::vector<std::string_view> lines_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  std::vector<std::string_view> lines;
  for (std::string_view line : split(text, '\n')) {
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin != std::string_view::npos)
      lines.push_back(line.substr(begin, line.find_last_not_of(kBlanks) + 1 - begin));
  }
  return lines;
}

/// What stands between blanks and tabs.
inline std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; (begin = line.find_first_not_of(" \t", begin)) != std::string_view::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace cbir
