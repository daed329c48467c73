#pragma once
/// Small sets, bare .npy files of known vectors, and indexes of them.

#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/index/index.hpp>
#include <cbir/store/npy.hpp>
#include <lib/index/structures.hpp>
#include <tests/temporary.hpp>

namespace fixture {

/// With AddressSanitizer everything takes five times as long: the longest tests try fewer cases then.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline std::vector<float> random_vectors(std::size_t rows, std::size_t dim, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> out(rows * dim);
  for (float& x : out) x = static_cast<float>(static_cast<int>(generator() % 2001) - 1000) / 1000.0F;
  return out;
}

inline void write_npy(const std::string& path, std::span<const float> values, std::size_t dim) {
  std::string text = cbir::npy_header(cbir::Dtype::float32, values.size() / dim, dim);
  text.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  cbir::write_file(path, text, true);
}

/// Builds an index of the vectors and returns its path.
inline std::string build(const TemporaryFolder& folder, std::span<const float> values, std::size_t dim,
                         cbir::Metric metric, const std::string& name = "x") {
  write_npy(folder / (name + ".npy"), values, dim);
  cbir::build_index({folder / (name + ".npy")}, folder / (name + ".cbir"),
                    {.metric = metric, .metric_given = true, .force = true});
  return folder / (name + ".cbir");
}

/// The types of index that there are.
inline std::vector<std::string> index_types() {
  return {std::begin(cbir::kStructureTypes), std::end(cbir::kStructureTypes)};
}

/// A set of rows with a manifest: path "NAME/0.jpg", ..., labels as given, in turns (empty: none).
inline void write_set(const TemporaryFolder& folder, const std::string& name, std::span<const float> values,
                      std::size_t dim, const std::vector<std::string>& labels = {""}, cbir::Manifest manifest = {}) {
  write_npy(folder / (name + ".npy"), values, dim);
  manifest.rows = values.size() / dim;
  manifest.dim = dim;
  std::string rows;
  for (std::size_t i = 0; i < manifest.rows; ++i) {
    cbir::RowInfo row{.path = name + "/" + std::to_string(i) + ".jpg"};
    if (const std::string& label = labels[i % labels.size()]; !label.empty()) row.label = label;
    rows += to_json_line(row) + '\n';
  }
  cbir::write_file(folder / (name + ".rows.jsonl"), rows, true);
  manifest.npy_xxh3 = cbir::hex(cbir::xxh3(cbir::read_file(folder / (name + ".npy"))));
  manifest.rows_xxh3 = cbir::hex(cbir::xxh3(cbir::as_bytes(rows)));
  cbir::write_file(folder / (name + ".json"), to_json(manifest), true);
}

/// An index that was built, grew twice, and lost rows of two of its three segments; its tables and one bitmap of
/// tombstones have been replaced.
inline std::string grown_index(const TemporaryFolder& folder, const std::string& type, std::size_t rows,
                               std::size_t dim, cbir::Metric metric = cbir::Metric::cosine) {
  const std::string path = folder / (type + ".cbir");
  for (const unsigned part : {1U, 2U, 3U})
    write_set(folder, "part" + std::to_string(part), random_vectors(rows, dim, part), dim, {"cat", "dog", ""},
              {.normalization = "none"});
  cbir::build_index({folder / "part1"}, path, {.type = type, .metric = metric, .metric_given = true, .force = true});
  const cbir::AddOptions insist{.allow_mismatch = true};  // whatever metric the sets are meant for
  cbir::add_to_index(path, {folder / "part2"}, insist);
  cbir::remove_from_index(path, {.paths = {"part1/1.jpg"}, .labels = {}});
  cbir::add_to_index(path, {folder / "part3"}, insist);
  cbir::remove_from_index(path, {.paths = {"part1/2.jpg", "part2/0.jpg"}, .labels = {}});
  return path;
}

}  // namespace fixture
