/// Copies judged by exact search: pairs are all of a query and a row of the database.

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "best.hpp"
#include "copies.hpp"
#include "histogram.hpp"
#include "ranks.hpp"

namespace cbir {
namespace {

/// A query that the manifest names.
struct Asked {
  std::size_t copy = 0;                  ///< in the manifest
  std::vector<std::uint32_t> originals;  ///< rows of the database that answer to the name
  std::optional<std::uint32_t> best;     ///< the one of these that scores highest, the first if several do
};

class CopySearchRun {
 public:
  CopySearchRun(const std::vector<CopyTruth>& truth, const CopySearch& search)
      : truth_(truth),
        details_(search.details),
        database_(Collection::open(search.database, search.metric)),
        queries_(Collection::open(search.queries, std::nullopt)),
        attacks_(truth),
        outcomes_(truth.size()) {
    database_.check_queries(queries_, search.allow_mismatch);
    if (search.improve.any()) database_.improve(&queries_, search.improve, search.allow_mismatch);
    if (database_.rows() > UINT32_MAX)
      throw ResourceLimit(fmt::format("{} rows: an evaluation takes fewer than {}", database_.rows(), UINT32_MAX));
    paths_ = database_.labelled_rows(nullptr).names;
    match_queries();
    find_originals();
  }

  Scores run(const EvaluationProgress& progress);

 private:
  void match_queries();
  void find_originals();
  void judge(std::size_t asked, std::span<const float> scores, PairCounter& pairs);
  void keep_items(const Asked& asked, std::span<const float> scores);
  std::vector<std::string> number_items();

  const std::vector<CopyTruth>& truth_;
  const DetailOptions details_;
  Collection database_, queries_;
  const AttackGroups attacks_;
  std::vector<std::string> paths_;  ///< of the database
  std::vector<CopyOutcome> outcomes_;
  std::vector<Asked> asked_;
  std::vector<std::size_t> asked_rows_;  ///< rows of queries_ that these are
  std::uint64_t unknown_ = 0;
  std::mutex mutex_;
  ScoreHistogram histogram_;
};

void CopySearchRun::match_queries() {
  const std::vector<std::string> names = queries_.labelled_rows(nullptr).names;
  const CopyNames copies(truth_);
  for (std::size_t row = 0; row < names.size(); ++row) {
    const auto copy = copies.find(names[row]);
    if (!copy) {
      ++unknown_;
      continue;
    }
    if (!outcomes_[*copy].query.empty()) refuse_twice(outcomes_[*copy].query, names[row], truth_[*copy].copy);
    outcomes_[*copy].query = names[row];
    asked_.push_back({.copy = *copy, .originals = {}, .best = {}});
    asked_rows_.push_back(row);
  }
  if (asked_.empty()) refuse_strangers(names.front(), truth_.front().copy);
}

void CopySearchRun::find_originals() {
  const RowNames rows(paths_);
  std::vector<Collection::RowPair> pairs;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const CopyTruth& copy = truth_[asked_[i].copy];
    if (copy.original.empty()) {
      outcomes_[asked_[i].copy].finds_source = !rows.find(source_name(copy)).empty();
      continue;
    }
    asked_[i].originals = rows.find(copy.original);
    for (const std::uint32_t row : asked_[i].originals) pairs.push_back({asked_rows_[i], row});
  }
  const std::vector<float> scores = database_.score_pairs(queries_, pairs);
  std::size_t next = 0;
  for (Asked& asked : asked_) {
    CopyOutcome& outcome = outcomes_[asked.copy];
    for (const std::uint32_t row : asked.originals) {
      const auto score = static_cast<double>(scores[next++]);
      if (asked.best && score <= outcome.score) continue;
      asked.best = row;
      outcome.score = score;
    }
    outcome.rank = asked.best ? 1 : 0;  // judge() finds the true one
  }
}

/// Ranks are by descending score, then ascending position, as searches have them.
void CopySearchRun::judge(std::size_t number, std::span<const float> scores, PairCounter& pairs) {
  const Asked& asked = asked_[number];
  if (const std::size_t bad = find_not_finite(scores); bad != scores.size())
    throw DamagedFile(fmt::format("query {}: its score against {} is {}, expected a finite number",
                                  display_path(outcomes_[asked.copy].query), display_path(paths_[bad]), scores[bad]));
  if (asked.best) {
    const float own = scores[*asked.best];
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) before += scores[i] > own || (scores[i] == own && i < *asked.best);
    outcomes_[asked.copy].rank = before + 1;
  }
  pairs.count_wrong(attacks_.of_copy[asked.copy], scores, asked.originals);
  if (details_.top > 0) keep_items(asked, scores);
  if (!details_.curves) return;
  ScoreHistogram histogram;
  histogram.add(scores);
  if (asked.best) histogram.mark_relevant(scores[*asked.best]);
  const std::lock_guard lock(mutex_);
  histogram_.add(std::move(histogram));
}

void CopySearchRun::keep_items(const Asked& asked, std::span<const float> scores) {
  CopyOutcome& outcome = outcomes_[asked.copy];
  const auto mark = [&](std::uint32_t row) {
    if (!std::ranges::binary_search(asked.originals, row)) return Mark::irrelevant;
    return row == *asked.best ? Mark::relevant : Mark::junk;
  };
  for (const std::uint32_t row : best_positions(scores, details_.top, std::nullopt))
    outcome.top.push_back({row, outcome.top.size() + 1, static_cast<double>(scores[row]), mark(row)});
  if (asked.best && outcome.rank > outcome.top.size() && details_.missed > 0)
    outcome.missed.push_back({*asked.best, outcome.rank, outcome.score, Mark::relevant});
}

/// Items are rows until now; those that are used get numbers, in the order of the queries. Originals that are nowhere
/// are missed, too.
std::vector<std::string> CopySearchRun::number_items() {
  std::vector<std::string> names;
  std::unordered_map<std::uint32_t, std::uint32_t> numbers;
  const auto renumber = [&](JudgedItem& item) {
    const auto [found, fresh] = numbers.try_emplace(item.item, static_cast<std::uint32_t>(names.size()));
    if (fresh) names.push_back(paths_[item.item]);
    item.item = found->second;
  };
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    CopyOutcome& outcome = outcomes_[i];
    std::ranges::for_each(outcome.top, renumber);
    std::ranges::for_each(outcome.missed, renumber);
    if (outcome.rank != 0 || truth_[i].original.empty() || details_.top == 0 || details_.missed == 0) continue;
    outcome.missed.push_back({.item = static_cast<std::uint32_t>(names.size()), .mark = Mark::relevant});
    names.push_back(truth_[i].original);  // which the database lacks
  }
  return names;
}

Scores CopySearchRun::run(const EvaluationProgress& progress) {
  PairCounter pairs(right_pairs(outcomes_, attacks_), attacks_.names.size());
  std::uint64_t done = 0;
  database_.score_rows(queries_, asked_rows_, [&](std::size_t first, MatrixView<const float> block) {
    for (std::size_t i = 0; i < block.rows; ++i) judge(first + i, block.row(i), pairs);
    if (!progress) return;
    const std::lock_guard lock(mutex_);
    progress(done += block.rows, asked_rows_.size());
  });
  std::vector<std::string> items = number_items();
  Scores scores = score_copies(truth_, attacks_, std::move(outcomes_), pairs, unknown_, details_.curves);
  scores.subject = fmt::format("{}, queried with {}", database_.name(), queries_.name());
  scores.items = std::move(items);
  if (details_.curves) scores.distribution = histogram_.distribution();
  return scores;
}

}  // namespace

Scores evaluate_copies(const std::vector<CopyTruth>& truth, const CopySearch& search,
                       const EvaluationProgress& progress) {
  demand_originals(truth);
  return CopySearchRun(truth, search).run(progress);
}

}  // namespace cbir
