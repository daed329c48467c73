#pragma once
/// Relevance as TREC writes it down: qrels files, and the measures of trec_eval.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/eval/rankings.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct Judgement {
  std::string item;
  std::int64_t grade = 0;  ///< above 0: the more relevant the higher
};

struct QrelsTopic {
  std::string name;
  std::vector<Judgement> judgements;
};

struct Qrels {
  std::string file;
  std::vector<QrelsTopic> topics;  ///< in the order of their first lines
};

/// Lines `topic iteration item grade` between blanks or tabs; the iteration does not matter, names are percent-encoded
/// as in our TREC runs. "-" is standard input. Throws MissingInput (no file, no line), DamagedFile (naming the line),
/// also for an item that is judged twice for one topic.
Qrels read_qrels(const std::string& path);
Qrels parse_qrels(std::string_view text, const std::string& name);

std::string to_text(const Qrels& qrels);

struct QrelsOptions {
  std::vector<std::size_t> cutoffs = {1, 5, 10};
  std::int64_t relevance = 1;  ///< the least grade that is relevant; at least 1. ndcg@k goes by the grades alone
  DetailOptions details = {};
};

/// Measures: map, mrr, r_precision, map@r, p@k, r@k, hit@k, ndcg@k, as trec_eval defines them; ranks are those of the
/// ranking. What is not judged is not relevant. Without queries of their own, rows of a set or an index do not answer
/// themselves unless they are judged to. Throws as judge() does.
Scores evaluate_qrels(const Qrels& qrels, const Rankings& rankings, const QrelsOptions& options,
                      const EvaluationProgress& progress = {});

}  // namespace cbir
