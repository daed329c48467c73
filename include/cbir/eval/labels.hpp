#pragma once
/// Retrieval scores when relevance is "has the same label": leave-one-out over one collection, or queries against a
/// separate database.
///
/// Definitions (R: relevant items of a query, in the database, without the query itself; rel(i): 1 if the item at rank
/// i is relevant): AP = 1/R sum_i rel(i) * (relevant at ranks <= i) / i; P@k = relevant among the first k / k; R@k =
/// relevant among the first k / R; hit@k = 1 if any of the first k is relevant; RR = 1 / rank of the first relevant
/// item; R-precision = relevant among the first R / R. They are those of trec_eval (whose hit@k is called success).
/// Ties in score are ranked by ascending position. Queries without a label or without relevant items are left out of
/// the means and counted.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

/// Means over queries, each between 0 and 1.
struct LabelScores {
  double map = 0;
  double mrr = 0;  ///< of the reciprocal rank
  double r_precision = 0;
  std::vector<double> precision, recall, hit;  ///< one for each cut-off
  std::uint64_t queries = 0;                   ///< that counted
};

struct LabelReport {
  std::vector<std::size_t> cutoffs;
  LabelScores all;
  std::vector<std::pair<std::string, LabelScores>>
      per_class;                          ///< by name, natural order; classes with queries that count
  std::uint64_t classes = 0;              ///< labels in the database
  std::uint64_t single_classes = 0;       ///< of these, those that one row alone has
  std::uint64_t database = 0;             ///< rows
  std::uint64_t database_unlabelled = 0;  ///< rows without a label
  std::uint64_t skipped_unlabelled = 0;   ///< queries without a label
  std::uint64_t skipped_alone = 0;        ///< queries with nothing relevant in the database
};

struct LabelEvaluation {
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< at least 1 each
  bool per_class = false;
};

/// Supplies the scores of blocks of queries against the whole database, as Index::score_all does: each query once, in
/// any order, from any number of threads.
using ScoreSource =
    std::function<void(const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume)>;

/// `database_labels`: one a database row, nothing for an unlabelled one (relevant to nobody). `query_labels`: one a
/// query. With `leave_one_out`, query i is database row i and is left out of its own ranking. The result does not
/// depend on the order of calls or the number of threads. Throws MissingInput if no query has both a label and
/// something relevant, DamagedFile for a score that is not finite, UsageError for a cut-off of 0.
LabelReport evaluate_labels(const std::vector<std::optional<std::string>>& database_labels,
                            const std::vector<std::optional<std::string>>& query_labels, bool leave_one_out,
                            const ScoreSource& scores, const LabelEvaluation& options);

}  // namespace cbir
