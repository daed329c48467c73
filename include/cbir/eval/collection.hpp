#pragma once
/// Rows that are evaluated: an index, or an embedding set without one, which is then scored in memory by the same
/// arithmetic. Scores of a set and of the index built from it agree to the bit.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/eval/labels.hpp>
#include <cbir/index/index.hpp>
#include <cbir/rerank/improved_search.hpp>
#include <cbir/store/labels.hpp>

namespace cbir {

class Collection {
 public:
  /// `name` is an index (a file that ends in ".cbir") or a set (NAME, NAME.npy or NAME.json). `metric`: the one to use
  /// instead of the set's own; an index has but its own.
  /// Throws as Index::open and EmbeddingSet::open do, Incompatible if the metric is not the index's, MissingInput if
  /// there are no rows.
  static Collection open(const std::string& name, std::optional<Metric> metric);
  ~Collection();
  Collection(Collection&&) noexcept;
  Collection& operator=(Collection&&) noexcept;

  /// Whether `name` is that of an index or a set, and not of any other file.
  static bool is_name_of_one(const std::string& name);

  const std::string& name() const noexcept;
  std::size_t rows() const noexcept;
  std::size_t dim() const noexcept;
  Metric metric() const noexcept;
  /// Of the encoder; empty if not known.
  const std::string& fingerprint() const noexcept;
  /// How rows were averaged with their neighbours; empty: not at all. As in Manifest.
  const std::string& augmentation() const noexcept;

  /// Throws Incompatible unless vectors of `queries` can be compared with those here: same dimensions and, unless
  /// `allow_mismatch`, the same encoder, and no averages with neighbours but those of the database itself.
  void check_queries(const Collection& queries, bool allow_mismatch) const;

  /// Paths, and labels: those the rows carry, or those that `table` gives their paths.
  LabelledRows labelled_rows(const LabelTable* table) const;

  /// The path of the picture that a row was made of; empty if it was a text.
  std::string picture_path(std::size_t row) const;

  /// From here on the vectors of this collection, and of `queries`, are what `improvements` make of them, in memory.
  /// Without `queries` its own rows ask, and do not expand themselves. Throws as Vectors::load and improve() do.
  void improve(Collection* queries, const Improvements& improvements, bool allow_mismatch);

  /// Scores of all rows of `queries`, which may be this very object, against all rows here: see ScoreSource. A set's
  /// vectors are read into memory, as float32, at the first call. Throws Incompatible (a zero row under cosine),
  /// DamagedFile (NaN, infinity), both naming the row.
  void score_all(const Collection& queries,
                 const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const;

  /// As above, of some rows of `queries`; `first_query` counts in `query_rows`.
  void score_rows(const Collection& queries, std::span<const std::size_t> query_rows,
                  const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const;

  struct RowPair {
    std::size_t query = 0, row = 0;  ///< of `queries`, and here
  };
  /// Scores of some pairs, to the bit as score_all has them.
  std::vector<float> score_pairs(const Collection& queries, std::span<const RowPair> pairs) const;

 private:
  struct Impl;
  explicit Collection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct CollectionEvaluation {
  std::string database;
  std::optional<std::string> queries;  ///< else every row of the database queries all the others
  std::optional<std::string> labels;   ///< a TSV for LabelTable, instead of the labels that rows carry
  std::optional<Metric> metric;        ///< instead of the database's own
  bool allow_mismatch = false;         ///< take queries of another encoder
  LabelEvaluation measures;
  Improvements improve = {};     ///< what is done to the vectors first
  bool augment = false;          ///< average the database's rows with their neighbours before that
  std::uint64_t split_seed = 1;  ///< of the split into queries and database that an augmentation is scored by, too
};

/// Called after each block of queries, from one thread at a time.
using EvaluationProgress = std::function<void(std::uint64_t done, std::uint64_t queries)>;

/// Opens, checks that queries and database belong together (Incompatible), and evaluates; see evaluate_labels.
Scores evaluate_collection(const CollectionEvaluation& evaluation, const EvaluationProgress& progress = {});

}  // namespace cbir
