#include <cbir/eval/labels.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>
#include <span>
#include <string_view>
#include <unordered_map>

#include <cbir/base/error.hpp>

#include "best.hpp"
#include "histogram.hpp"
#include "measures.hpp"
#include "ranks.hpp"

namespace cbir {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

/// Labels as numbers, and the rows that have each.
struct Classes {
  std::vector<std::string_view> names;
  std::vector<std::uint32_t> of_row, of_query;      ///< kNone: unlabelled; a query's may have no rows
  std::vector<std::vector<std::uint32_t>> members;  ///< positions, ascending
};

Classes number_labels(const LabelledRows& database, const LabelledRows& queries) {
  Classes classes;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  const auto number = [&](const std::optional<std::string>& label) {
    if (!label) return kNone;
    const auto [found, fresh] = numbers.try_emplace(*label, static_cast<std::uint32_t>(classes.names.size()));
    if (fresh) {
      classes.names.emplace_back(*label);
      classes.members.emplace_back();
    }
    return found->second;
  };
  for (const auto& label : database.labels) classes.of_row.push_back(number(label));
  for (const auto& label : queries.labels) classes.of_query.push_back(number(label));
  for (std::uint32_t row = 0; row < classes.of_row.size(); ++row)
    if (classes.of_row[row] != kNone) classes.members[classes.of_row[row]].push_back(row);
  return classes;
}

std::uint64_t unlabelled(const std::vector<std::uint32_t>& classes) {
  return static_cast<std::uint64_t>(std::ranges::count(classes, kNone));
}

std::string name_of(const LabelledRows& rows, std::size_t row) {
  return rows.names.empty() ? fmt::format("{}", row) : rows.names[row];
}

/// Measures queries as their scores come in.
class Evaluation {
 public:
  Evaluation(const LabelledRows& database, const LabelledRows& queries, bool leave_one_out,
             const LabelEvaluation& options)
      : classes_(number_labels(database, queries)),
        leave_one_out_(leave_one_out),
        details_(options.details),
        measures_(options.cutoffs, most_relevant()),
        place_(queries.labels.size(), kNone) {
    scores_.protocol = "labels";
    scores_.measures = measures_.names();
    scores_.group_kind = "class";
    for (std::size_t query = 0; query < place_.size(); ++query) {
      const std::uint32_t of_query = classes_.of_query[query];
      if (of_query == kNone || relevant_count(of_query) == 0) continue;
      place_[query] = static_cast<std::uint32_t>(scores_.queries.size());
      scores_.queries.push_back({.query = name_of(queries, query),
                                 .group = std::string(classes_.names[of_query]),
                                 .relevant = relevant_count(of_query),
                                 .values = std::vector<double>(measures_.size())});
    }
    count_rest();
  }

  /// Thread-safe for different queries.
  void consume(std::size_t first_query, MatrixView<const float> block) {
    if (block.cols != classes_.of_row.size() || first_query + block.rows > place_.size())
      throw Error(ExitCode::internal, "scores do not have the shape of the evaluation");
    Worker worker;
    for (std::size_t i = 0; i < block.rows; ++i)
      if (place_[first_query + i] != kNone) evaluate(first_query + i, block.row(i), worker);
    if (!details_.curves) return;
    const std::lock_guard lock(mutex_);
    curve_.add(worker.curve);
    histogram_.add(worker.histogram);
  }

  Scores finish(const LabelledRows& database) && {
    scores_.precision_at = curve_.mean();
    scores_.distribution = histogram_.distribution();
    name_items(database);
    return std::move(scores_);
  }

 private:
  /// What a thread needs for a block of queries, and what it adds up.
  struct Worker {
    RankCounter counter;
    std::vector<std::uint32_t> others;
    PrecisionCurve curve;
    ScoreHistogram histogram;
  };

  std::uint64_t relevant_count(std::uint32_t of_query) const {
    return classes_.members[of_query].size() - (leave_one_out_ ? 1 : 0);
  }

  std::uint64_t most_relevant() const {
    std::uint64_t most = 0;
    for (const auto& members : classes_.members) most = std::max<std::uint64_t>(most, members.size());
    return most;
  }

  void evaluate(std::size_t query, std::span<const float> scores, Worker& worker) {
    check_finite(query, scores);
    std::span<const std::uint32_t> relevant = classes_.members[classes_.of_query[query]];
    std::optional<std::size_t> self;
    if (leave_one_out_) {
      self = query;
      worker.others.clear();
      std::ranges::copy_if(relevant, std::back_inserter(worker.others),
                           [&](std::uint32_t row) { return row != query; });
      relevant = worker.others;
    }
    const auto ranks = worker.counter.ranks(scores, relevant, self);
    QueryScores& result = scores_.queries[place_[query]];
    measures_.measure(ranks, relevant.size(), result.values);
    if (details_.top > 0) keep_ranking(query, scores, self, ranks, worker.counter, result);
    if (!details_.curves) return;
    worker.curve.add(ranks, relevant.size());
    worker.histogram.add(scores.first(self.value_or(scores.size())));
    if (self) worker.histogram.add(scores.subspan(*self + 1));
    for (const RankCounter::Item& item : worker.counter.relevant()) worker.histogram.mark_relevant(item.score);
  }

  /// Items are positions until name_items().
  void keep_ranking(std::size_t query, std::span<const float> scores, std::optional<std::size_t> self,
                    std::span<const std::uint64_t> ranks, const RankCounter& counter, QueryScores& result) const {
    std::uint64_t rank = 0;
    for (const std::uint32_t row : best_positions(scores, details_.top, self)) {
      const bool relevant = classes_.of_row[row] == classes_.of_query[query];
      result.top.push_back({row, ++rank, scores[row], relevant ? Mark::relevant : Mark::irrelevant});
    }
    const auto below = static_cast<std::size_t>(std::ranges::upper_bound(ranks, rank) - ranks.begin());
    for (std::size_t i = below; i < std::min(ranks.size(), below + details_.missed); ++i) {
      const RankCounter::Item& item = counter.relevant()[i];
      result.missed.push_back({item.position, ranks[i], item.score, Mark::relevant});
    }
  }

  static void check_finite(std::size_t query, std::span<const float> scores) {
    const std::size_t bad = find_not_finite(scores);
    if (bad == scores.size()) return;
    throw DamagedFile(
        fmt::format("query row {}: its score against row {} is {}, expected a finite number; "
                    "the vectors hold numbers too large to be compared in float32",
                    query, bad, scores[bad]));
  }

  void count_rest() {
    const std::uint64_t queries = unlabelled(classes_.of_query), rows = unlabelled(classes_.of_row);
    const std::uint64_t alone = place_.size() - queries - scores_.queries.size();
    const auto classes = std::ranges::count_if(classes_.members, [](const auto& members) { return !members.empty(); });
    scores_.counts = {{"queries_unlabelled", queries},
                      {"queries_alone", alone},
                      {"rows", classes_.of_row.size()},
                      {"rows_unlabelled", rows},
                      {"classes", static_cast<std::uint64_t>(classes)}};
    remark(queries, "{} query without a label is left out of the means",
           "{} queries without a label are left out of the means");
    remark(alone, "{} query whose label no other row has is left out of the means",
           "{} queries whose labels no other row has are left out of the means");
    remark(rows, "{} row without a label is a wrong answer to every query",
           "{} rows without a label are wrong answers to every query");
    if (scores_.queries.empty())
      throw MissingInput(
          fmt::format("nothing to evaluate: of {} queries {} have no label and {} share theirs with no other "
                      "row of the database; --labels FILE.tsv gives labels",
                      place_.size(), queries, alone));
  }

  void remark(std::uint64_t count, const char* one, const char* many) {
    if (count > 0) scores_.remarks.push_back(fmt::format(fmt::runtime(count == 1 ? one : many), count));
  }

  /// Puts numbers of Scores::items, which are those that rankings hold, for positions.
  void name_items(const LabelledRows& database) {
    std::vector<std::uint32_t> numbers(details_.top > 0 ? database.labels.size() : 0, kNone);
    const auto rename = [&](JudgedItem& item) {
      std::uint32_t& number = numbers[item.item];
      if (number == kNone) {
        number = static_cast<std::uint32_t>(scores_.items.size());
        scores_.items.push_back(name_of(database, item.item));
      }
      item.item = number;
    };
    for (QueryScores& query : scores_.queries) {
      std::ranges::for_each(query.top, rename);
      std::ranges::for_each(query.missed, rename);
    }
  }

  Classes classes_;
  bool leave_one_out_;
  DetailOptions details_;
  RankMeasures measures_;
  std::vector<std::uint32_t> place_;  ///< of each query in scores_; kNone: it does not count
  Scores scores_;
  std::mutex mutex_;  // for what follows
  PrecisionCurve curve_;
  ScoreHistogram histogram_;
};

}  // namespace

Scores evaluate_labels(const LabelledRows& database, const LabelledRows& queries, bool leave_one_out,
                       const ScoreSource& source, const LabelEvaluation& options) {
  if (database.labels.size() >= kNone || queries.labels.size() >= kNone)
    throw ResourceLimit(fmt::format("{} rows and {} queries: an evaluation takes fewer than {} of each",
                                    database.labels.size(), queries.labels.size(), kNone));
  if (leave_one_out && database.labels != queries.labels)
    throw Error(ExitCode::internal, "leave-one-out with queries that are not the database");
  Evaluation evaluation(database, queries, leave_one_out, options);
  source([&](std::size_t first_query, MatrixView<const float> block) { evaluation.consume(first_query, block); });
  return std::move(evaluation).finish(database);
}

}  // namespace cbir
