#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/catalog/catalog.hpp>
#include <cbir/store/set_writer.hpp>

#include "code_file.hpp"
#include "files.hpp"
#include "item_features.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 31;
constexpr std::size_t kGroup = 32;  // pictures whose features are in memory at once

/// What becomes of one picture.
struct Looked {
  RowInfo row = {};
  std::vector<float> vector = {};
  LocalFeatures features = {};
  std::optional<FailedItem> failure = {};
};

/// The keypoints of a picture that is transparent are those on white and on black: of what it will be seen on nothing
/// is known.
LocalFeatures features_of(Bytes file, const Image& on_white, const LocalExtractor& extractor, DecodeOptions decode) {
  LocalFeatures features = features_of_item(on_white, extractor);
  if (decode.alpha != Alpha::white) return features;
  decode.alpha = Alpha::black;
  const Image on_black = decode_image(file, decode);
  if (on_black.data == on_white.data) return features;
  return merged_features(std::move(features), features_of_item(on_black, extractor));
}

Looked look_at(const CatalogPicture& picture, std::size_t seq, const Encoder& encoder, const LocalExtractor& extractor,
               const DecodeOptions& decode) {
  Looked looked;
  std::string stage = "read";
  try {
    const auto file = read_file(picture.path, kMaxFileBytes);
    stage = "decode";
    const Image image = decode_image(file, decode);
    stage = "encode";
    const Image input = preprocess(image, encoder.preset().preprocessing);
    looked.vector.resize(encoder.dim());
    encoder.encode({&input, 1}, {looked.vector.data(), 1, encoder.dim()});
    stage = "features";
    looked.features = features_of(file, image, extractor, decode);
    looked.row = {.path = picture.item + "/" + picture.path,
                  .label = picture.item,
                  .picture = picture.path,
                  .seq = seq,
                  .bytes = file.size(),
                  .width = image.width,
                  .height = image.height,
                  .xxh3 = hex(xxh3(file))};
  } catch (const Error& error) {
    // Of decoding, this says that the plug-in with the codecs is not installed.
    const bool no_plugin = error.code() == ExitCode::missing_input && stage != "read";
    if (no_plugin || error.code() == ExitCode::internal) throw;
    std::string reason = error.what();
    if (const std::string name = display_path(picture.path) + ": "; reason.starts_with(name))
      reason.erase(0, name.size());
    looked.failure = FailedItem{.path = picture.path, .seq = seq, .stage = stage, .reason = reason};
  }
  return looked;
}

Manifest manifest_of(const Encoder& encoder) {
  return {.metric = "cosine",
          .normalization = encoder.preset().normalization,
          .encoder = encoder.preset().name,
          .fingerprint = encoder.fingerprint(),
          .preset = encoder.preset().json,
          .precision = encoder.precision(),
          .device = encoder.device()};
}

/// What all pictures of an addition become: a set, and a file of features beside it.
class Addition {
 public:
  Addition(const std::string& catalog, const CatalogSettings& settings)
      : features_(next_feature_file(catalog),
                  {.kind = settings.local,
                   .keypoints = settings.local_options.keypoints,
                   .max_side = settings.local_options.max_side},
                  false) {}

  void add(Looked looked) {
    features_.add({.name = looked.row.xxh3}, looked.features);
    vectors_.insert(vectors_.end(), looked.vector.begin(), looked.vector.end());
    lines_.push_back(to_json_line(looked.row));
  }

  std::size_t size() const { return lines_.size(); }

  /// Features and codes first, then the rows: see catalog.hpp.
  ChangeReport commit(const std::string& catalog, const Encoder& encoder) {
    features_.commit();
    try {
      store_codes(open_feature_files(catalog));
      SetWriter set(adding_set(catalog), lines_.size(), encoder.dim(), true, {});
      set.add_vectors({vectors_.data(), lines_.size(), encoder.dim()});
      for (const std::string& line : lines_) set.add_line(line);
      set.commit(manifest_of(encoder));
      const ChangeReport report = change_index(catalog);
      remove_adding_set(catalog);
      return report;
    } catch (...) {
      remove_adding_set(catalog);
      sweep(catalog);
      throw;
    }
  }

 private:
  /// After an error. The features stay if rows need them: an index whose last bytes could not be synchronised to disk
  /// may be the new one all the same.
  static void sweep(const std::string& catalog) noexcept {
    try {
      sweep_feature_files(catalog);
    } catch (...) {  // the next change does it
    }
  }

  ChangeReport change_index(const std::string& catalog) const {
    if (exists(index_file(catalog))) return add_to_index(index_file(catalog), {adding_set(catalog)}, {.replace = true});
    const BuildReport built = build_index({adding_set(catalog)}, index_file(catalog), {.type = "lsh"});
    return {.added = built.rows, .removed = 0, .rows = built.rows, .bytes = built.bytes};
  }

  LocalFileWriter features_;
  std::vector<float> vectors_;
  std::vector<std::string> lines_;
};

}  // namespace

CatalogChange add_to_catalog(const std::string& path, const std::vector<CatalogPicture>& pictures,
                             const CatalogAddOptions& options,
                             const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  const Catalog before = Catalog::open(path);  // of what is no catalogue, no lock is made
  const FileLock lock(lock_file(path));
  const auto encoder = before.open_encoder(options.weights, options.encoder);
  const auto extractor =
      before.open_extractor(before.settings().local_options.keypoints, before.settings().local_options.max_side);
  remove_adding_set(path);
  Addition addition(path, before.settings());
  CatalogChange change;
  std::vector<Looked> group;
  for (std::size_t first = 0; first < pictures.size(); first += kGroup) {
    group.assign(std::min(kGroup, pictures.size() - first), {});
    parallel_blocks(group.size(), 1, [&](std::size_t i, std::size_t) {
      group[i] = look_at(pictures[first + i], first + i, *encoder, *extractor, options.decode);
    });
    for (Looked& looked : group)
      if (looked.failure) change.failed.push_back(*std::move(looked.failure));
      else addition.add(std::move(looked));
    if (progress) progress(first + group.size(), change.failed.size());
  }
  if (addition.size() == 0)
    throw MissingInput(fmt::format("{}: {}; none of {} could be read", display_path(change.failed.front().path),
                                   change.failed.front().reason, counted(pictures.size(), "picture")));
  const ChangeReport report = addition.commit(path, *encoder);
  change.added = report.added;
  change.removed = report.removed;
  change.pictures = report.rows;
  sweep_feature_files(path);
  return change;
}

CatalogChange remove_from_catalog(const std::string& path, const std::vector<std::string>& items) {
  const Catalog before = Catalog::open(path);
  const FileLock lock(lock_file(path));
  if (before.pictures() == 0)
    throw MissingInput(
        fmt::format("{}: the catalogue is empty, so no item is {}", display_path(path), display_path(items.front())));
  const ChangeReport report = remove_from_index(index_file(path), {.paths = {}, .labels = items});
  sweep_feature_files(path);
  return {.added = report.added, .removed = report.removed, .pictures = report.rows};
}

}  // namespace cbir
