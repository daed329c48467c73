#include "files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/store/set.hpp>

namespace cbir {
namespace {

constexpr std::string_view kPrefix = "features-", kSuffix = ".local", kCodeSuffix = ".codes";

/// The number in "features-12.local", for the suffix ".local".
std::optional<std::uint64_t> feature_number(std::string_view name, std::string_view suffix) {
  if (!name.starts_with(kPrefix) || !name.ends_with(suffix)) return {};
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(std::min(suffix.size(), name.size()));
  std::uint64_t number = 0;
  if (!parse_number(name, number)) return {};
  return number;
}

std::vector<std::pair<std::uint64_t, std::string>> numbered_files(const std::string& catalog, std::string_view suffix) {
  std::vector<std::pair<std::uint64_t, std::string>> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(catalog, error)) {
    const std::string name = entry.path().filename().string();
    if (const auto number = feature_number(name, suffix)) files.emplace_back(*number, catalog + "/" + name);
  }
  if (error) throw MissingInput(fmt::format("{}: cannot be listed: {}", display_path(catalog), error.message()));
  std::ranges::sort(files);
  return files;
}

}  // namespace

std::string settings_file(const std::string& catalog) { return catalog + "/catalog.json"; }
std::string index_file(const std::string& catalog) { return catalog + "/index.cbir"; }
std::string lock_file(const std::string& catalog) { return catalog + "/lock"; }
std::string adding_set(const std::string& catalog) { return catalog + "/adding"; }

std::vector<std::string> feature_files(const std::string& catalog) {
  std::vector<std::string> paths;
  for (auto& [number, path] : numbered_files(catalog, kSuffix)) paths.push_back(std::move(path));
  return paths;
}

std::vector<LocalFile> open_feature_files(const std::string& catalog) {
  std::vector<LocalFile> files;
  for (const std::string& path : feature_files(catalog)) files.push_back(LocalFile::open(path));
  return files;
}

std::string next_feature_file(const std::string& catalog) {
  const auto files = numbered_files(catalog, kSuffix);
  return fmt::format("{}/{}{}{}", catalog, kPrefix, files.empty() ? 1 : files.back().first + 1, kSuffix);
}

std::string code_file(const std::string& feature_file) {
  return feature_file.substr(0, feature_file.size() - kSuffix.size()) + std::string(kCodeSuffix);
}

void sweep_feature_files(const std::string& catalog) {
  std::unordered_set<std::uint64_t> needed;  // pictures, by the hash of their name
  if (exists(index_file(catalog))) {
    const Index index = Index::open(index_file(catalog));
    for (std::uint64_t i = 0; i < index.size(); ++i) needed.insert(xxh3_64(as_bytes(index.row(i).xxh3)));
  }
  std::vector<std::string> files = feature_files(catalog);
  std::ranges::reverse(files);  // of pictures that are in several, the newest is kept
  for (const std::string& path : files) {
    const LocalFile file = LocalFile::open(path);
    bool used = false;
    file.each_name([&](std::uint64_t name, std::size_t) { used = needed.erase(name) > 0 || used; });
    if (!used) unlink(path.c_str());
  }
  std::unordered_set<std::string> codes;
  for (const std::string& path : feature_files(catalog)) codes.insert(code_file(path));
  for (const auto& [number, path] : numbered_files(catalog, kCodeSuffix))
    if (!codes.contains(path)) unlink(path.c_str());
}

void remove_adding_set(const std::string& catalog) {
  const SetPaths paths = set_paths(adding_set(catalog));
  for (const std::string& path : {paths.manifest, paths.npy, paths.rows, paths.failed}) unlink(path.c_str());
}

}  // namespace cbir
