#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/oxford.hpp>

#include "lines.hpp"
#include "oxford_names.hpp"

namespace cbir {
namespace {

constexpr std::string_view kQueryEnding = "_query.txt";

/// Names of the queries of a folder, in natural order.
std::vector<std::string> find_queries(const std::string& folder) {
  std::vector<std::string> names;
  try {
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
      std::string name = each.path().filename().string();
      if (!name.ends_with(kQueryEnding) || name.size() == kQueryEnding.size()) continue;
      name.resize(name.size() - kQueryEnding.size());
      names.push_back(std::move(name));
    }
  } catch (const std::filesystem::filesystem_error& error) {
    throw MissingInput(
        fmt::format("{}: {}; expected a folder of files NAME_query.txt, NAME_good.txt, NAME_ok.txt and "
                    "NAME_junk.txt",
                    display_path(folder), error.code().message()));
  }
  if (names.empty())
    throw MissingInput(
        fmt::format("{}: holds no query, that is no file NAME_query.txt beside NAME_good.txt, NAME_ok.txt and "
                    "NAME_junk.txt",
                    display_path(folder)));
  std::ranges::sort(names, natural_less);
  return names;
}

std::vector<std::string> read_list(const std::string& path) {
  std::vector<std::string> names;
  const std::string text = read_text(path);
  for (const std::string_view line : lines_of(text)) names.emplace_back(line);
  return names;
}

QueryBox read_box(const std::string& path, const std::string& name) {
  const std::string text = read_text(path);
  const auto lines = lines_of(text);
  const auto fields = lines.empty() ? std::vector<std::string_view>{} : words_of(lines.front());
  QueryBox box{.id = name, .path = {}};
  if (lines.size() != 1 || fields.size() != 5 || !parse_number(fields[1], box.x1) || !parse_number(fields[2], box.y1) ||
      !parse_number(fields[3], box.x2) || !parse_number(fields[4], box.y2))
    throw DamagedFile(
        fmt::format("{}: found {}; expected one line: a picture's name and its box, x1 y1 x2 y2", display_path(path),
                    lines.size() == 1 ? "'" + display_path(lines.front()) + "'" : counted(lines.size(), "line")));
  if (!(box.x1 < box.x2 && box.y1 < box.y2))
    throw DamagedFile(
        fmt::format("{}: the box from {}, {} to {}, {} is empty", display_path(path), box.x1, box.y1, box.x2, box.y2));
  std::string_view picture = fields[0];
  if (picture.starts_with(kOxfordPrefix)) picture.remove_prefix(kOxfordPrefix.size());
  box.path = picture;
  return box;
}

/// "all_souls_1" -> "all_souls".
std::string landmark_of(const std::string& query) {
  const std::size_t end = query.find_last_not_of("0123456789");
  return end != std::string::npos && end > 0 && end + 1 < query.size() && query[end] == '_' ? query.substr(0, end)
                                                                                            : query;
}

}  // namespace

OxfordTruth read_oxford_truth(const std::string& folder) {
  OxfordTruth truth{.folder = folder, .queries = {}};
  for (const std::string& name : find_queries(folder)) {
    const std::string base = folder + "/" + name;
    truth.queries.push_back({.name = name,
                             .landmark = landmark_of(name),
                             .box = read_box(base + std::string(kQueryEnding), name),
                             .good = read_list(base + "_good.txt"),
                             .ok = read_list(base + "_ok.txt"),
                             .junk = read_list(base + "_junk.txt")});
  }
  return truth;
}

}  // namespace cbir
