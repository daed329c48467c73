#pragma once
/// Catalogues: items, each known by one or many pictures, that are to be recognised in other pictures and in videos.
///
///     C/catalog.json        which encoder, which local features, which thresholds; written when the folder is made
///     C/index.cbir          a row a picture, of type lsh: its path is ITEM/PICTURE, its label the item
///     C/features-N.local    local features of pictures that were added together, by the checksum of their files
///     C/lock                held by whoever changes the catalogue
///
/// The index alone says which pictures there are: a change is what the change of the index is, there or not, whatever
/// happens. Features are written before, and those that no row needs any more are removed after; a reader that finds
/// them gone opens the catalogue again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/encoder/encoder.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/image/image.hpp>
#include <cbir/index/index.hpp>
#include <cbir/local/features.hpp>
#include <cbir/local/local.hpp>
#include <cbir/local/local_file.hpp>
#include <cbir/store/rows.hpp>

namespace cbir {

/// From where on something is found. calibrate_catalog() finds them for a catalogue.
struct CatalogThresholds {
  double score = 5;        ///< of a Verification: about one of 10^5 candidates reaches it by chance
  double similarity = .8;  ///< cosine of embeddings, where keypoints are not looked at

  bool operator==(const CatalogThresholds&) const = default;
};

/// catalog.json.
struct CatalogSettings {
  Preset preset = {};       ///< of the encoder
  std::string fingerprint;  ///< the encoder's
  LocalKind local = {};
  LocalOptions local_options = {};  ///< of the items' pictures
  CatalogThresholds thresholds = {};
};

/// The JSON text, with a checksum of itself.
std::string to_json(const CatalogSettings& settings);
/// Throws DamagedFile, or Incompatible for a newer version or another kind of file.
CatalogSettings parse_catalog_settings(std::string_view json, const std::string& name);

/// Makes an empty catalogue; `path` must not exist, or be an empty folder. Throws OutputError, and as
/// open_local_extractor().
void create_catalog(const std::string& path, const EncoderChoice& encoder, const LocalOptions& local);

struct CatalogItem {
  std::string name;
  std::uint64_t pictures = 0;
  std::uint64_t keypoints = 0;  ///< of all its pictures
};

/// A catalogue as it was when it was opened.
class Catalog {
 public:
  /// Throws MissingInput, DamagedFile, Incompatible.
  static Catalog open(const std::string& path);

  const std::string& path() const noexcept { return path_; }
  const CatalogSettings& settings() const noexcept { return settings_; }
  std::uint64_t pictures() const noexcept { return index_ ? index_->size() : 0; }
  /// In natural order of their names.
  std::vector<CatalogItem> items() const;

  /// The row of a picture, by position: its label is the item.
  RowInfo row(std::uint64_t position) const { return index_->row(position); }
  std::uint64_t position_of(std::uint64_t id) const { return *index_->position_of(id); }
  LocalFeatures features(std::uint64_t position) const;

  /// Where a picture's features lie.
  struct Place {
    std::uint32_t file, row;
  };
  const std::vector<LocalFile>& feature_files() const noexcept { return files_; }
  Place place(std::uint64_t position) const { return places_.at(static_cast<std::size_t>(position)); }
  /// Pictures that resemble each query most. Nothing of an empty catalogue.
  std::vector<std::vector<Hit>> search(MatrixView<const float> queries, std::size_t k) const;

  /// The encoder and the extractor that its pictures were looked at with. What is looked at now may be larger and hold
  /// more keypoints than an item's picture. Throws Incompatible for weights that are others, and as choose_encoder()
  /// and open_local_extractor().
  std::unique_ptr<Encoder> open_encoder(const std::optional<std::string>& weights, const EncoderOptions& options) const;
  std::unique_ptr<LocalExtractor> open_extractor(std::size_t keypoints, int max_side) const;

 private:
  Catalog() = default;
  void read(const std::string& path);

  std::string path_;
  CatalogSettings settings_;
  std::optional<Index> index_;  ///< none before the first picture is added
  std::vector<LocalFile> files_;
  std::vector<Place> places_;  ///< of each row's features, by position
};

/// A picture to be added.
struct CatalogPicture {
  std::string item;
  std::string path;
};

/// Pictures of one item, or (with `item` empty) those of a folder of folders, each of which is an item. Throws
/// MissingInput (no picture), UsageError (a picture that lies in no folder of its own; a name that is no item's).
std::vector<CatalogPicture> list_catalog_pictures(const std::string& item, const std::vector<std::string>& paths);

struct CatalogAddOptions {
  std::optional<std::string> weights = {};  ///< of the encoder, instead of the preset's own
  EncoderOptions encoder = {};
  DecodeOptions decode = {};
};

struct CatalogChange {
  std::uint64_t added = 0, removed = 0;  ///< pictures
  std::uint64_t pictures = 0;            ///< that are there now
  std::vector<FailedItem> failed = {};
};

/// Adds pictures; one that its item has already, by its path, is replaced. Those that cannot be read are listed in the
/// report. Throws Locked, MissingInput (all failed), OutputError, and as Catalog::open_encoder().
CatalogChange add_to_catalog(const std::string& path, const std::vector<CatalogPicture>& pictures,
                             const CatalogAddOptions& options,
                             const std::function<void(std::uint64_t done, std::uint64_t failed)>& progress = {});

/// Removes items. Throws Locked, OutputError, and MissingInput, with nothing changed, for one that is not there.
CatalogChange remove_from_catalog(const std::string& path, const std::vector<std::string>& items);

/// Stores thresholds. Throws Locked, OutputError.
void store_thresholds(const std::string& path, const CatalogThresholds& thresholds);

}  // namespace cbir
