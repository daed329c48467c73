#pragma once
/// The index: vectors, rows and the encoder's preset in one file (.cbir) that is memory-mapped and searched in place.
/// The layout is docs/formats.md.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/store/rows.hpp>
#include <cbir/store/set.hpp>

namespace cbir {

class ContainerAppender;

enum class Metric { cosine, dot, l2 };

std::string_view to_string(Metric metric);
Metric parse_metric(std::string_view name);  ///< throws UsageError

/// Higher scores are better. cosine and dot: the inner product (of normalised vectors); l2: minus the squared distance.
struct Hit {
  std::uint64_t id = 0;
  float score = 0;
};

/// How far a search looks; 0 is as far as the index itself says. More is slower, and nearer to exact.
struct SearchEffort {
  bool exact = false;          ///< compare every row in float32, whatever structure the index has
  std::size_t probe = 0;       ///< ivf: lists that are looked at
  std::size_t candidates = 0;  ///< ivf, lsh: rows that are scored exactly, for each query
  std::size_t ef = 0;          ///< hnsw: rows that are kept in mind while the graph is walked
};

/// Which rows may be found: those with one of the labels, if any is named, whose path fits one of the patterns, if any
/// is given. Patterns are those of fnmatch(3): `*` and `?` stand for any bytes, '/' too, `[a-z]` for one of several,
/// `\\` takes the meaning of what follows.
struct RowCriteria {
  std::vector<std::string> labels;
  std::vector<std::string> globs;

  bool empty() const noexcept { return labels.empty() && globs.empty(); }
};

/// Rows of one index that meet criteria; made by Index::filter, for that index.
class RowFilter {
 public:
  struct Masks;

  explicit RowFilter(Masks masks);
  ~RowFilter();
  RowFilter(RowFilter&&) noexcept;
  RowFilter& operator=(RowFilter&&) noexcept;

  std::uint64_t passing() const noexcept;  ///< rows that may be found
  const Masks& masks() const noexcept { return *masks_; }

 private:
  std::unique_ptr<Masks> masks_;
};

/// What a search did.
struct SearchCounts {
  std::uint64_t queries = 0;
  std::uint64_t compared = 0;  ///< rows whose codes were compared with a query
  std::uint64_t scored = 0;    ///< rows that were scored exactly, in float32

  SearchCounts& operator+=(const SearchCounts& other);
};

/// What a structure is made by; 0 is a default that suits the rows.
struct StructureOptions {
  std::size_t lists = 0;            ///< ivf: cells that the rows are divided into
  std::size_t links = 16;           ///< hnsw: M, links of a node (twice as many on the lowest level)
  std::size_t ef_construction = 0;  ///< hnsw: rows that are kept in mind while a link is sought
  std::size_t bits = 256;           ///< lsh: hyperplanes
  std::uint64_t seed = 1;           ///< of whatever is drawn at random
};

struct BuildOptions {
  std::string type = "flat";
  Metric metric = Metric::cosine;
  bool metric_given = false;  ///< false: the sets' own metric where they name one
  StructureOptions structure = {};
  SearchEffort effort = {};     ///< that searches use when they name none; 0: found by trial at the end of the build,
  double target_recall = .95;   ///< so that recall@10 is about this
  std::uint64_t memory = 0;     ///< bytes that may be used besides what the file's pages take; 0: no limit
  bool force = false;           ///< replace an existing file
  bool allow_mismatch = false;  ///< join sets of different encoders
  bool partial = false;         ///< though parts of a list are missing
};

/// A mean over queries, and the interval that holds the true one in 95 of 100 cases.
struct RecallEstimate {
  double recall = 1, low = 1, high = 1;
  std::size_t queries = 0;  ///< that were asked
};

struct BuildReport {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::string type;
  SearchEffort effort = {};    ///< that is stored
  RecallEstimate recall = {};  ///< recall@10 with it; 1 of exact types, for which nothing is asked
  std::string reason = {};     ///< of type auto: why this one
};

/// Builds an index out of one or many sets; row ids count from 0 over all of them, in order. Sets of parts of a list
/// are joined by seq, so that in whatever order they come the index is that of the set of the whole list; MissingInput
/// names the parts that are missing. cosine normalises the rows. Throws UsageError (no such type), MissingInput (no
/// rows), Incompatible (dimensions or fingerprints that differ, a zero row under cosine), DamagedFile (NaN or infinite
/// values, with set and row), OutputError, ResourceLimit (more memory than allowed is needed; thrown before any work).
BuildReport build_index(const std::vector<std::string>& sets, const std::string& output, const BuildOptions& options);

/// A score from which results are to be believed, as somebody has found out and stored in an index.
struct Cutoff {
  double score = 0;
  double precision = 0;  ///< that was wanted of the pairs which score at least that
  double recall = 0;     ///< share of the relevant pairs that are among them
};

/// What an index says of itself.
struct IndexInfo {
  std::string type;  ///< "flat", "ivf", "hnsw" or "lsh"
  Metric metric = Metric::cosine;
  std::uint64_t rows = 0;      ///< that are left
  std::uint64_t removed = 0;   ///< that are in the file, but not in the index any more
  std::uint64_t segments = 0;  ///< rows that were added together
  std::uint64_t dim = 0;
  std::uint64_t bytes = 0;
  std::uint64_t generation = 0;
  std::uint64_t leftover = 0;  ///< bytes after the end, left by an append that was cut short
  int version_major = 0, version_minor = 0;
  std::string encoder, fingerprint, preset;  ///< empty if the sets did not name one
  std::string normalization;
  std::string augmentation;                         ///< as in Manifest; empty: rows are as the encoder made them
  std::map<std::string, std::uint64_t> parameters;  ///< of the type
  std::map<std::string, std::uint64_t> parts;       ///< bytes by what they hold: "vectors", "rows", "unused", ...
  std::optional<Cutoff> cutoff = {};                ///< if one was stored
  std::optional<Shards> shards = {};                ///< if parts of a list are missing: those that are there
};

enum class Check {
  opening,  ///< files of up to 64 MiB whole; larger ones but for vectors and their codes
  all
};

class Index {
 public:
  /// Throws MissingInput, DamagedFile, Incompatible (a sound file of another kind or version).
  static Index open(const std::string& path, Check check = Check::opening);
  ~Index();
  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;

  const IndexInfo& info() const noexcept;
  const std::string& path() const noexcept;
  std::uint64_t size() const noexcept { return info().rows; }
  std::size_t dim() const noexcept { return static_cast<std::size_t>(info().dim); }

  /// Row by position (0 to size() - 1) among those that are left. Ids are given when a row comes in, kept for ever,
  /// never given again, and ascend with the position.
  std::uint64_t id(std::uint64_t position) const;
  std::optional<std::uint64_t> position_of(std::uint64_t id) const;
  RowInfo row(std::uint64_t position) const;
  /// Positions of all rows with this path, ascending.
  std::vector<std::uint64_t> find_path(std::string_view path) const;
  /// Positions of all rows with this label, ascending.
  std::vector<std::uint64_t> find_label(std::string_view label) const;
  /// Rows that meet the criteria. Takes a pass over the labels' hashes, and one over all paths if there are patterns.
  RowFilter filter(const RowCriteria& criteria) const;
  /// The stored vector as float32 (normalised under cosine); dim() numbers.
  std::span<const float> vector(std::uint64_t position) const;

  /// As below, looking as far as `effort` says, among rows that pass the filter if there is one; adds to `counts` what
  /// was done.
  std::vector<std::vector<Hit>> search(MatrixView<const float> queries, std::size_t k, const SearchEffort& effort,
                                       SearchCounts& counts, const RowFilter* filter = nullptr) const;

  /// The k best of every query, in order: score descending, then id ascending. Fewer than k only if the index holds
  /// fewer. Queries are normalised under cosine. Scores are bit-identical however queries are batched and whatever the
  /// number of threads. Throws Incompatible for another dimension, DamagedFile for NaN, infinite or (cosine) zero
  /// queries, naming the query's row.
  std::vector<std::vector<Hit>> search(MatrixView<const float> queries, std::size_t k) const;

  /// Scores of each query against every row in order of position, block by block of queries; for evaluation.
  /// Calls consume(first_query, scores) from several threads, scores.rows queries at a time.
  void score_all(MatrixView<const float> queries,
                 const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const;

 private:
  struct Impl;
  explicit Index(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct AddOptions {
  bool replace = false;         ///< rows of paths that are there already give way to the new ones
  bool allow_mismatch = false;  ///< add vectors of another encoder
  bool name_by_id = false;      ///< rows of a bare .npy get their ids for paths, not their numbers in it
};

struct ChangeReport {
  std::uint64_t added = 0, removed = 0;
  std::uint64_t rows = 0;   ///< that are there now
  std::uint64_t bytes = 0;  ///< of the index
};

// Changes in place. The index is the old one or the new one at any moment, whatever happens; readers are not disturbed,
// and a second writer gets Locked. OutputError: the disk is full or broken; the index is as it was unless the message
// says otherwise. An index of version 1.0 is Incompatible: compact_index rewrites it.

/// Adds the rows of the sets as a segment of its own; takes time and bytes in proportion to what is added. Throws as
/// build_index; Incompatible also if a path is there already, or for a set that does not go with the index.
ChangeReport add_to_index(const std::string& path, const std::vector<std::string>& sets, const AddOptions& options);

/// What became of an index's rows. A file at another path is moved if both rows say by xxh3 that it is the same.
struct SyncReport {
  std::uint64_t added = 0, changed = 0, moved = 0, removed = 0, unchanged = 0;
  std::uint64_t rows = 0;   ///< that are there now
  std::uint64_t bytes = 0;  ///< of the index
};

/// Makes the rows of an index those of sets, by one change: a row stays, with its id, if a set has one of its path
/// and of the same description and vector; seq and mtime do not matter. Others are removed, and rows that the index
/// lacks are added, with new ids, as a segment of their own; so a picture that was moved or changed has a new id.
/// Nothing to do: nothing is written. Throws as add_to_index.
SyncReport sync_index(const std::string& path, const std::vector<std::string>& sets, bool allow_mismatch);

/// Rows to be removed: those that any of these names.
struct RowSelection {
  std::vector<std::string> paths, labels;
};

/// Removes rows, all of which may be. Throws MissingInput, with nothing changed, for a path or label that is not there.
ChangeReport remove_from_index(const std::string& path, const RowSelection& selection);

/// Stores a cut-off in an index. It stays through changes and compact_index, until the next one is stored. The index is
/// locked from the beginning, so that nothing changes while the cut-off is looked for.
class CutoffStore {
 public:
  /// Throws as add_to_index.
  explicit CutoffStore(const std::string& path);
  ~CutoffStore();
  CutoffStore(CutoffStore&&) noexcept;

  /// To be called once. Throws UsageError for numbers that are not finite, OutputError.
  void store(const Cutoff& cutoff);

 private:
  std::unique_ptr<ContainerAppender> appender_;
};

/// Writes what is left of an index as one segment, ids kept, in the newest format: in its place, or as `output` if that
/// is not empty (replaced if `force`). The structure is made anew. Throws MissingInput if no row is left.
ChangeReport compact_index(const std::string& path, const std::string& output, bool force);

struct MergeOptions {
  bool force = false;
  bool allow_mismatch = false;  ///< join indexes of different encoders
  bool partial = false;         ///< though parts of a list are missing
};

struct MergeReport {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  bool ids_kept = false;
  std::uint64_t cutoffs_dropped = 0;  ///< of indexes that had one: it is not of the joined rows
};

/// Builds an index out of the rows of others, of the first one's type; those of parts of a list are joined by seq, as
/// by build_index. Ids are kept if each index's are above those of the ones before it; else all rows get new ones, from
/// 0. Throws as build_index.
MergeReport merge_indexes(const std::vector<std::string>& paths, const std::string& output,
                          const MergeOptions& options);

/// Writes the rows of an index as an embedding set of float32, which builds an index of the same scores. Returns the
/// number of rows. Throws MissingInput if there are none, OutputError.
std::uint64_t export_index(const std::string& path, const std::string& set_name, bool force);

/// Checks everything in the file: every checksum, every row. Throws as Index::open does; returns what it counted.
IndexInfo verify_index(const std::string& path);

struct RecoverReport {
  IndexInfo kept;
  std::string lost;  ///< what was wrong with the other root record; empty if nothing was
};

/// Writes what the newest sound generation of a damaged index holds as a new index. Throws DamagedFile if there is
/// none, and as Index::open does.
RecoverReport recover_index(const std::string& path, const std::string& output, bool force);

}  // namespace cbir
