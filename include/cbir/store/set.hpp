#pragma once
/// Embedding sets: NAME.npy (rows x dim), NAME.rows.jsonl (a line a row), NAME.json (the manifest, written last).
/// The layout is docs/formats.md.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cbir/store/npy.hpp>
#include <cbir/store/rows.hpp>
#include <cbir/store/shard.hpp>

namespace cbir {

/// NAME.json. Holds no time, host or working folder: the same input gives the same bytes. Its last field, "xxh3", is a
/// checksum of the others; it may be left out, as by who writes one by hand.
struct Manifest {
  static constexpr int kVersion = 1;

  std::uint64_t rows = 0;
  std::uint64_t dim = 0;
  Dtype dtype = Dtype::float32;
  std::string metric = "cosine";      ///< what the encoder's vectors are meant to be compared by
  std::string normalization = "l2";   ///< "l2" or "none"
  std::string encoder = {};           ///< name of the preset; empty if not known
  std::string fingerprint = {};       ///< 64 hex digits; empty if not known
  std::string preset = {};            ///< the whole preset as JSON text; empty if not known
  std::string augmentation = {};      ///< how rows were averaged with their neighbours, as JSON text; empty: not at all
  std::string precision = "float32";  ///< of the network's arithmetic; recorded, not part of the fingerprint
  std::string device = "cpu";         ///< that it ran on; likewise
  std::optional<Shards> shards = {};  ///< if it is of a part of a list
  std::string npy_xxh3 = {}, rows_xxh3 = {};  ///< of the other two files, 32 hex digits
  std::uint64_t failed = 0;                   ///< items skipped, listed in NAME.failed.jsonl
};

std::string to_json(const Manifest& manifest);
/// Throws DamagedFile, or Incompatible for a newer version.
Manifest parse_manifest(std::string_view json, const std::string& name);

/// The names of a set's files.
struct SetPaths {
  std::string npy, rows, manifest, failed, state;
};

/// NAME, NAME.npy and NAME.json all name the same set.
SetPaths set_paths(const std::string& name);

/// A set opened for reading. Also opens a bare .npy (paths are then the row numbers) and a pair of X_Embeddings.npy and
/// X_Categories.npy (labels from the latter).
class EmbeddingSet {
 public:
  /// Throws MissingInput, DamagedFile (checksums, counts that disagree), Incompatible. `check` verifies the XXH3 of
  /// both files; rows are always counted.
  static EmbeddingSet open(const std::string& name, bool check = true);

  std::size_t rows() const noexcept { return matrix_.rows(); }
  std::size_t dim() const noexcept { return matrix_.cols(); }
  const std::string& name() const noexcept { return name_; }
  /// Absent for a bare .npy.
  const std::optional<Manifest>& manifest() const noexcept { return manifest_; }
  const NpyMatrix& matrix() const noexcept { return matrix_; }

  /// The JSON line of row i; made up ({"path":"17"}) for a bare .npy.
  std::string row_line(std::size_t i) const;
  RowInfo row(std::size_t i) const;

 private:
  void open_whole(const SetPaths& paths, bool check);

  std::string name_;
  NpyMatrix matrix_;
  std::optional<Manifest> manifest_;
  MappedFile rows_file_;
  std::vector<std::uint64_t> line_offsets_;  ///< rows() + 1 entries; empty for a bare .npy
  std::vector<std::string> categories_;
};

}  // namespace cbir
