#pragma once
/// Retrieval scores when relevance is "has the same label": leave-one-out over one collection, or queries against a
/// separate database.
///
/// Definitions (R: relevant items of a query, in the database, without the query itself; rel(i): 1 if the item at rank i is
/// relevant): AP = 1/R sum_i rel(i) * (relevant at ranks <= i) / i; P@k = relevant among the first k / k; R@k = relevant
/// among the first k / R; hit@k = 1 if any of the first k is relevant. Ties in score are ranked by ascending position.
/// Queries without a label or without relevant items are left out of the means and counted.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

struct LabelScores {
  double map = 0;
  std::vector<double> precision, recall, hit;  ///< one for each cut-off
  std::uint64_t queries = 0;                   ///< that counted
};

struct LabelReport {
  LabelScores all;
  std::vector<std::pair<std::string, LabelScores>> per_class;  ///< by name, natural order
  std::uint64_t skipped_unlabelled = 0;  ///< queries without a label
  std::uint64_t skipped_alone = 0;       ///< queries with nothing relevant in the database
};

struct LabelEvaluation {
  std::vector<std::size_t> cutoffs = {1, 5, 10};
  bool per_class = false;
};

/// Supplies the scores of blocks of queries against the whole database, as Index::score_all does.
using ScoreSource =
    std::function<void(const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume)>;

/// `database_labels`: one a database row, nothing for an unlabelled one (relevant to nobody). `query_labels`: one a query.
/// With `leave_one_out`, query i is database row i and is left out of its own ranking.
LabelReport evaluate_labels(const std::vector<std::optional<std::string>>& database_labels,
                            const std::vector<std::optional<std::string>>& query_labels, bool leave_one_out,
                            const ScoreSource& scores, const LabelEvaluation& options);

}  // namespace cbir
