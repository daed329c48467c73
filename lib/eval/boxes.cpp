#include <cbir/eval/boxes.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "judge.hpp"
#include "names.hpp"

namespace cbir {

std::string to_tsv(const std::vector<QueryBox>& boxes) {
  std::string text;
  for (const QueryBox& box : boxes)
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", tsv_escape(box.id), tsv_escape(box.path), box.x1, box.y1, box.x2,
                        box.y2);
  return text;
}

void locate_pictures(std::vector<QueryBox>& boxes, const std::optional<std::string>& folder) {
  if (!folder) return;
  std::unordered_map<std::string, std::string> files;
  try {
    using std::filesystem::directory_options;
    std::vector<std::string> paths;
    for (const auto& each : std::filesystem::recursive_directory_iterator(
             *folder, directory_options::follow_directory_symlink | directory_options::skip_permission_denied))
      if (each.is_regular_file()) paths.push_back(each.path().string());
    std::ranges::sort(paths, natural_less);
    for (std::string& path : paths) files.try_emplace(std::string(name_stem(path)), path);
  } catch (const std::filesystem::filesystem_error& error) {
    throw MissingInput(fmt::format("{}: {}", display_path(*folder), error.code().message()));
  }
  std::vector<std::string_view> missing;
  for (QueryBox& box : boxes) {
    if (const auto found = files.find(std::string(name_stem(box.path))); found != files.end()) box.path = found->second;
    else missing.push_back(box.path);
  }
  if (!missing.empty())
    throw MissingInput(fmt::format("{} {} not below {}: {}", counted(missing.size(), "query picture"),
                                   missing.size() == 1 ? "is" : "are", display_path(*folder), name_some(missing)));
}

}  // namespace cbir
