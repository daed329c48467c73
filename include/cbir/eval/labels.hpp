#pragma once
/// Retrieval scores when relevance is "has the same label": leave-one-out over one collection, or queries against a
/// separate database.
///
/// Measures, in this order (R: relevant items of a query, in the database, without the query itself; rel(i): 1 if the
/// item at rank i is relevant; P(i): relevant at ranks <= i, divided by i): map, 1/R sum_i rel(i) P(i); mrr, 1 / rank
/// of the first relevant item; r_precision, P(R); map@r, 1/R sum_{i <= R} rel(i) P(i); and for each cut-off k p@k,
/// P(k); r@k, relevant at ranks <= k, divided by R; hit@k, 1 if any of the first k is relevant; ndcg@k, sum_{i <= k}
/// rel(i) / log2(i + 1), divided by the most that can be. They are those of trec_eval (whose hit@k is called success)
/// and, map@r, of Musgrave et al. (2020). Ties in score are ranked by ascending position. Queries without a label or
/// without relevant items are left out and counted.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

/// Rows of a database, or queries.
struct LabelledRows {
  std::vector<std::optional<std::string>> labels;  ///< one a row
  std::vector<std::string> names = {};             ///< one a row; or none, and a row's name is its number
};

struct LabelEvaluation {
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< at least 1, each once
  DetailOptions details = {};
};

/// Supplies the scores of blocks of queries against the whole database, as Index::score_all does: each query once, in
/// any order, from any number of threads.
using ScoreSource =
    std::function<void(const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume)>;

/// An unlabelled row of the database is relevant to nobody. With `leave_one_out`, query i is database row i and is left
/// out of its own ranking. Groups are classes. Counts: queries_unlabelled and queries_alone (left out), rows,
/// rows_unlabelled, classes. The result does not depend on the order of calls or the number of threads. Throws
/// MissingInput if no query has both a label and something relevant, DamagedFile for a score that is not finite,
/// UsageError for a cut-off of 0.
Scores evaluate_labels(const LabelledRows& database, const LabelledRows& queries, bool leave_one_out,
                       const ScoreSource& source, const LabelEvaluation& options);

}  // namespace cbir
