/// Copies judged by rankings that somebody made: pairs are those that the rankings hold.

#include <algorithm>

#include <fmt/format.h>

#include "copies.hpp"
#include "histogram.hpp"

namespace cbir {
namespace {

/// Names of results as numbers.
class ItemNumbers {
 public:
  explicit ItemNumbers(std::vector<std::string>& names) : names_(names) {}

  std::uint32_t operator()(const std::string& name) {
    const auto [found, fresh] = numbers_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (fresh) names_.push_back(name);
    return found->second;
  }

 private:
  std::vector<std::string>& names_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

/// One query's results.
struct JudgedRanking {
  std::vector<Mark> marks;
  std::vector<double> right, wrong;  ///< scores
};

JudgedRanking judge(const CopyTruth& copy, const RankedQuery& ranking, CopyOutcome& outcome) {
  JudgedRanking judged;
  const std::string source = copy.original.empty() ? source_name(copy) : "";
  for (std::size_t i = 0; i < ranking.results.size(); ++i) {
    const bool right = !copy.original.empty() && is_tail(copy.original, ranking.results[i]);
    judged.marks.push_back(!right ? Mark::irrelevant : outcome.rank == 0 ? Mark::relevant : Mark::junk);
    if (!right) {
      judged.wrong.push_back(ranking.scores[i]);
      outcome.finds_source = outcome.finds_source || (!source.empty() && is_tail(source, ranking.results[i]));
    } else if (outcome.rank == 0) {
      judged.right.push_back(ranking.scores[i]);
      outcome.rank = i + 1;
      outcome.score = ranking.scores[i];
    }
  }
  return judged;
}

void keep_items(const CopyTruth& copy, const RankedQuery& ranking, const JudgedRanking& judged,
                const DetailOptions& details, ItemNumbers& numbers, CopyOutcome& outcome) {
  const std::size_t kept = std::min(details.top, ranking.results.size());
  for (std::size_t i = 0; i < kept; ++i)
    outcome.top.push_back({numbers(ranking.results[i]), i + 1, ranking.scores[i], judged.marks[i]});
  if (copy.original.empty() || details.missed == 0 || (outcome.rank != 0 && outcome.rank <= kept)) return;
  const std::string& name = outcome.rank == 0 ? copy.original : ranking.results[outcome.rank - 1];
  outcome.missed.push_back({numbers(name), outcome.rank, outcome.score, Mark::relevant});
}

}  // namespace

Scores evaluate_copies(const std::vector<CopyTruth>& truth, const std::vector<RankedQuery>& ranking,
                       const DetailOptions& details) {
  demand_originals(truth);
  const CopyNames names(truth);
  std::vector<const RankedQuery*> ranking_of(truth.size());
  std::uint64_t unknown = 0, longest = 0;
  for (const RankedQuery& query : ranking) {
    const auto copy = names.find(query.query);
    if (!copy) {
      ++unknown;
      continue;
    }
    if (ranking_of[*copy]) refuse_twice(ranking_of[*copy]->query, query.query, truth[*copy].copy);
    ranking_of[*copy] = &query;
    longest = std::max<std::uint64_t>(longest, query.results.size());
  }
  if (unknown == ranking.size()) refuse_strangers(ranking.front().query, truth.front().copy);

  const AttackGroups attacks(truth);
  std::vector<CopyOutcome> outcomes(truth.size());
  std::vector<JudgedRanking> judged(truth.size());
  std::vector<std::string> items;
  ItemNumbers numbers(items);
  ScoreHistogram histogram;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (!ranking_of[i]) {
      if (details.top > 0 && !truth[i].original.empty())
        outcomes[i].missed.push_back({.item = numbers(truth[i].original), .mark = Mark::relevant});
      continue;
    }
    outcomes[i].query = ranking_of[i]->query;
    judged[i] = judge(truth[i], *ranking_of[i], outcomes[i]);
    if (details.top > 0) keep_items(truth[i], *ranking_of[i], judged[i], details, numbers, outcomes[i]);
    if (details.curves) {
      histogram.add(std::vector<float>(judged[i].wrong.begin(), judged[i].wrong.end()));
      const std::vector<float> right(judged[i].right.begin(), judged[i].right.end());
      histogram.add(right);
      for (const float score : right) histogram.mark_relevant(score);
    }
  }
  PairCounter pairs(right_pairs(outcomes, attacks), attacks.names.size());
  for (std::size_t i = 0; i < truth.size(); ++i) pairs.count_wrong(attacks.of_copy[i], judged[i].wrong);

  Scores scores = score_copies(truth, attacks, std::move(outcomes), pairs, unknown, details.curves);
  scores.items = std::move(items);
  if (details.curves) scores.distribution = histogram.distribution();
  if (longest < 10 && !pairs.points().empty())
    scores.remarks.push_back(fmt::format("no ranking holds more than {} result{}: r@10 counts {} alone", longest,
                                         longest == 1 ? "" : "s", longest == 1 ? "that" : "those"));
  return scores;
}

}  // namespace cbir
