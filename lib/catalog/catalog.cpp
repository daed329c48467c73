#include <cbir/catalog/catalog.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>

#include "files.hpp"

namespace cbir {
namespace {

/// A reader may list files that a writer then removes, since newer ones have taken their place.
constexpr int kAttempts = 5;

/// What was opened is of another time than the index: to be tried again.
struct Overtaken {
  std::string reason;
};

std::string of_catalog(const std::string& path) {
  if (is_directory(path) && exists(settings_file(path))) return path;
  throw MissingInput(fmt::format("{}: no catalogue is there; cbir-catalog create makes one", display_path(path)));
}

bool is_empty_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) && std::filesystem::is_empty(path, error);
}

/// SearchEffort: an index of few rows is tuned by few, and then grows.
SearchEffort effort_for(std::uint64_t rows, std::size_t k) {
  constexpr std::uint64_t kLeast = 256, kShare = 16;
  return {.candidates = static_cast<std::size_t>(std::max({kLeast, rows / kShare, std::uint64_t{4} * k}))};
}

}  // namespace

void create_catalog(const std::string& path, const EncoderChoice& encoder, const LocalOptions& local) {
  if (exists(path) && !is_empty_folder(path))
    throw OutputError(
        fmt::format("{}: exists already; a catalogue is made in a new folder, or an empty one", display_path(path)));
  CatalogSettings settings{.preset = encoder.preset,
                           .fingerprint = encoder.fingerprint,
                           .local = open_local_extractor(local)->kind(),
                           .local_options = local};
  make_directories(path);
  write_file(settings_file(path), to_json(settings), false);
}

Catalog Catalog::open(const std::string& path) {
  for (int attempt = 1;; ++attempt) {
    try {
      Catalog catalog;
      catalog.read(of_catalog(path));
      return catalog;
    } catch (const Overtaken& overtaken) {
      if (attempt == kAttempts) throw DamagedFile(overtaken.reason);
    }
  }
}

void Catalog::read(const std::string& path) {
  path_ = path;
  settings_ = parse_catalog_settings(read_text(settings_file(path)), settings_file(path));
  if (!exists(index_file(path))) return;
  index_.emplace(Index::open(index_file(path)));
  if (!index_->info().fingerprint.empty() && index_->info().fingerprint != settings_.fingerprint)
    throw Incompatible(fmt::format("{}: its rows are of encoder {:.12}..., but the catalogue is of {:.12}...",
                                   display_path(index_file(path)), index_->info().fingerprint, settings_.fingerprint));

  std::unordered_map<std::uint64_t, Place> by_picture;  // by the hash of its name: records are not read for this
  for (const std::string& file : cbir::feature_files(path)) {
    if (!exists(file)) throw Overtaken{fmt::format("{}: is not there any more", display_path(file))};
    files_.push_back(LocalFile::open(file));
    if (files_.back().info().kind != settings_.local)
      throw Incompatible(fmt::format("{}: holds features of {}, the catalogue is of {}", display_path(file),
                                     files_.back().info().kind.name, settings_.local.name));
    files_.back().each_name([&](std::uint64_t name, std::size_t i) {
      by_picture.insert_or_assign(name,
                                  Place{static_cast<std::uint32_t>(files_.size() - 1), static_cast<std::uint32_t>(i)});
    });
  }
  for (std::uint64_t i = 0; i < index_->size(); ++i) {
    const RowInfo row = index_->row(i);
    const auto found = by_picture.find(xxh3_64(as_bytes(row.xxh3)));
    if (found == by_picture.end())
      throw Overtaken{fmt::format("{}: no file of local features holds those of {}; add the picture again",
                                  display_path(path), display_path(row.path))};
    places_.push_back(found->second);
  }
}

std::vector<CatalogItem> Catalog::items() const {
  std::map<std::string, CatalogItem> items;
  for (std::uint64_t i = 0; i < pictures(); ++i) {
    CatalogItem& item = items[row(i).label.value_or("")];
    ++item.pictures;
    item.keypoints += features(i).size();
  }
  std::vector<CatalogItem> sorted;
  for (auto& [name, item] : items) {
    item.name = name;
    sorted.push_back(std::move(item));
  }
  std::ranges::stable_sort(sorted, natural_less, &CatalogItem::name);
  return sorted;
}

LocalFeatures Catalog::features(std::uint64_t position) const {
  const Place& place = places_.at(static_cast<std::size_t>(position));
  return files_[place.file].features(place.row);
}

std::vector<std::vector<Hit>> Catalog::search(MatrixView<const float> queries, std::size_t k) const {
  if (pictures() == 0) return std::vector<std::vector<Hit>>(queries.rows);
  SearchCounts counts;
  return index_->search(queries, k, effort_for(pictures(), k), counts);
}

std::unique_ptr<Encoder> Catalog::open_encoder(const std::optional<std::string>& weights,
                                               const EncoderOptions& options) const {
  const EncoderChoice choice = choose_encoder(settings_.preset, weights, options);
  if (choice.fingerprint != settings_.fingerprint)
    throw Incompatible(
        fmt::format("{}: made with encoder {} ({:.12}...), but the weights here make it {:.12}...; use "
                    "the weights that it was made with",
                    display_path(path_), settings_.preset.name, settings_.fingerprint, choice.fingerprint));
  return choice.open();
}

std::unique_ptr<LocalExtractor> Catalog::open_extractor(std::size_t keypoints, int max_side) const {
  auto extractor = open_local_extractor(
      {.features = settings_.local_options.features, .keypoints = keypoints, .max_side = max_side});
  if (extractor->kind() != settings_.local)
    throw Incompatible(fmt::format("{}: made with local features {} ({:.12}...), but those here are {} ({:.12}...)",
                                   display_path(path_), settings_.local.name, settings_.local.fingerprint,
                                   extractor->kind().name, extractor->kind().fingerprint));
  return extractor;
}

void store_thresholds(const std::string& path, const CatalogThresholds& thresholds) {
  const FileLock lock(lock_file(of_catalog(path)));
  CatalogSettings settings = parse_catalog_settings(read_text(settings_file(path)), settings_file(path));
  settings.thresholds = thresholds;
  write_file(settings_file(path), to_json(settings), true);
}

}  // namespace cbir
