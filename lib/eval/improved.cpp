#include "lib/eval/improved.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/rerank/augment.hpp>

namespace cbir {
namespace {

constexpr std::size_t kQueries = 96;             // scored together; fewer if rows are many
constexpr std::size_t kScoreBytes = 16UL << 20;  // of scores that one thread makes at a time

/// Scores of queries against the database, as ScoreSource wants them.
ScoreSource source_of(const Vectors& database, const Vectors& queries, const EvaluationProgress& progress) {
  return [&database, &queries, &progress](const auto& consume) {
    std::mutex mutex;
    std::uint64_t done = 0;
    const std::size_t grain = std::clamp<std::size_t>(kScoreBytes / sizeof(float) / database.rows(), 1, kQueries);
    parallel_blocks(queries.rows(), grain, [&](std::size_t begin, std::size_t end) {
      std::vector<float> scores((end - begin) * database.rows());
      const MatrixView<float> view(scores.data(), end - begin, database.rows());
      inner_products(queries.padded(begin, end - begin), database.padded(), view);
      consume(begin, view);
      if (!progress) return;
      const std::lock_guard lock(mutex);
      progress(done += end - begin, queries.rows());
    });
  };
}

/// The rows of one side of a split.
struct Part {
  Vectors vectors;
  LabelledRows rows;
};

Part part_of(const Vectors& vectors, const LabelledRows& rows, std::span<const std::size_t> which) {
  Part part{.vectors = Vectors(which.size(), vectors.dim()), .rows = {}};
  part.vectors.origin = vectors.origin;
  for (std::size_t i = 0; i < which.size(); ++i) {
    std::ranges::copy(vectors.row(which[i]), part.vectors.row(i).begin());
    part.rows.labels.push_back(rows.labels[which[i]]);
    if (!rows.names.empty()) part.rows.names.push_back(rows.names[which[i]]);
  }
  return part;
}

/// All rows in an order drawn at random.
std::vector<std::size_t> shuffled(std::size_t rows, std::uint64_t seed) {
  std::vector<std::size_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  SplitMix64 random(seed);
  for (std::size_t i = rows; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

Scores scores_of_split(const CollectionEvaluation& evaluation, const Part& database, const Part& queries,
                       bool augmented) {
  Vectors changed = database.vectors.copy();
  std::optional<Vectors> asking = queries.vectors.copy();
  if (augmented) augment(changed, {});
  improve(changed, asking, evaluation.improve, evaluation.allow_mismatch);
  LabelEvaluation measures = evaluation.measures;
  measures.details = {};
  return evaluate_labels(database.rows, queries.rows, false, source_of(changed, *asking, {}), measures);
}

/// Half of the rows ask the other half, which is augmented without them; and, for comparison, is not.
void add_split(const CollectionEvaluation& evaluation, const LabelledRows& rows, Scores& scores) {
  const Vectors vectors = Vectors::load(evaluation.database);
  const std::vector<std::size_t> order = shuffled(vectors.rows(), evaluation.split_seed);
  const auto half = std::span(order).first(order.size() / 2);
  const Part queries = part_of(vectors, rows, half),
             database = part_of(vectors, rows, std::span(order).subspan(half.size()));
  for (const bool augmented : {false, true}) {
    const Scores found = scores_of_split(evaluation, database, queries, augmented);
    const std::vector<Mean> values = means(found);
    for (std::size_t m = 0; m < values.size(); ++m)
      if (found.measures[m] == "map" || found.measures[m].starts_with("p@"))
        scores.totals.push_back(
            {fmt::format("split_{}{}", augmented ? "" : "raw_", found.measures[m]), values[m].value});
  }
  scores.remarks.push_back(
      "the rows that ask took part in the augmentation; split_... are scores of a half of the rows that asks the other "
      "half, which is augmented without it (split_raw_...: is not augmented)");
}

}  // namespace

Scores evaluate_improved(const CollectionEvaluation& evaluation, const LabelledRows& rows,
                         const std::optional<LabelledRows>& query_rows, const EvaluationProgress& progress) {
  if (evaluation.metric && *evaluation.metric != Metric::cosine)
    demand_cosine(evaluation.database, to_string(*evaluation.metric), "what was asked for");
  Scores scores;
  {
    Vectors database = Vectors::load(evaluation.database);
    std::optional<Vectors> queries;
    if (evaluation.queries) queries = Vectors::load(*evaluation.queries);
    AugmentReport report;
    if (evaluation.augment) {
      if (!database.origin.augmentation.empty())
        throw Incompatible(fmt::format("{}: its rows are augmented already; --augment is for what they were made of",
                                       display_path(evaluation.database)));
      report = augment(database, {});
    }
    improve(database, queries, evaluation.improve, evaluation.allow_mismatch);
    scores = evaluate_labels(rows, query_rows ? *query_rows : rows, !query_rows,
                             source_of(database, queries ? *queries : database, progress), evaluation.measures);
    if (report.left_alone != LeftAlone::no)
      scores.remarks.push_back("--augment left the rows as they are: they are few, or their neighbours not reliable");
  }
  if (evaluation.augment && !query_rows && rows.labels.size() >= 4) add_split(evaluation, rows, scores);
  return scores;
}

}  // namespace cbir
