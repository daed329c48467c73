#pragma once
/// Rows that are evaluated: an index, or an embedding set without one, which is then scored in memory by the same
/// arithmetic. Scores of a set and of the index built from it agree to the bit.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/eval/labels.hpp>
#include <cbir/index/index.hpp>
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

  const std::string& name() const noexcept;
  std::size_t rows() const noexcept;
  std::size_t dim() const noexcept;
  Metric metric() const noexcept;
  /// Of the encoder; empty if not known.
  const std::string& fingerprint() const noexcept;

  /// One a row: those the rows carry, or those that `table` gives their paths.
  std::vector<std::optional<std::string>> labels(const LabelTable* table) const;

  /// Scores of all rows of `queries`, which may be this very object, against all rows here: see ScoreSource. A set's
  /// vectors are read into memory, as float32, at the first call. Throws Incompatible (a zero row under cosine),
  /// DamagedFile (NaN, infinity), both naming the row.
  void score_all(const Collection& queries,
                 const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const;

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
};

/// Called after each block of queries, from one thread at a time.
using EvaluationProgress = std::function<void(std::uint64_t done, std::uint64_t queries)>;

/// Opens, checks that queries and database belong together (Incompatible), and evaluates; see evaluate_labels.
LabelReport evaluate_collection(const CollectionEvaluation& evaluation, const EvaluationProgress& progress = {});

}  // namespace cbir
