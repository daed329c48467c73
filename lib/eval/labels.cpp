#include <cbir/eval/labels.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <span>
#include <string_view>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "ranks.hpp"

namespace cbir {
namespace {

constexpr std::uint32_t kUnlabelled = std::numeric_limits<std::uint32_t>::max();

/// Labels as numbers, and the rows that have each.
struct Classes {
  std::vector<std::string> names;
  std::vector<std::uint32_t> of_query;              ///< kUnlabelled, or a number that may have no rows
  std::vector<std::vector<std::uint32_t>> members;  ///< positions, ascending
  std::uint64_t unlabelled_rows = 0;
};

Classes number_labels(const std::vector<std::optional<std::string>>& database,
                      const std::vector<std::optional<std::string>>& queries) {
  Classes classes;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  const auto number = [&](const std::string& label) {
    const auto [found, fresh] = numbers.try_emplace(label, static_cast<std::uint32_t>(classes.names.size()));
    if (fresh) {
      classes.names.push_back(label);
      classes.members.emplace_back();
    }
    return found->second;
  };
  for (std::uint32_t i = 0; i < database.size(); ++i) {
    if (database[i]) classes.members[number(*database[i])].push_back(i);
    else ++classes.unlabelled_rows;
  }
  for (const auto& label : queries) classes.of_query.push_back(label ? number(*label) : kUnlabelled);
  return classes;
}

/// What one query contributes to the means, in a row of numbers: map, mrr, r-precision, then P, R and hit a cut-off.
class Measures {
 public:
  explicit Measures(const std::vector<std::size_t>& cutoffs) : cutoffs_(cutoffs) {}

  std::size_t size() const { return 3 + 3 * cutoffs_.size(); }

  void measure(std::span<const std::uint64_t> ranks, std::span<double> out) const {
    const auto relevant = static_cast<double>(ranks.size());
    double sum = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i) sum += static_cast<double>(i + 1) / static_cast<double>(ranks[i]);
    const auto within = [&](std::uint64_t k) {
      return static_cast<double>(std::ranges::upper_bound(ranks, k) - ranks.begin());
    };
    out[0] = sum / relevant;
    out[1] = 1.0 / static_cast<double>(ranks.front());
    out[2] = within(ranks.size()) / relevant;
    for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
      const double found = within(cutoffs_[c]);
      out[3 + 3 * c] = found / static_cast<double>(cutoffs_[c]);
      out[4 + 3 * c] = found / relevant;
      out[5 + 3 * c] = found > 0 ? 1 : 0;
    }
  }

  /// Means over `queries`, rows of `values`, added in their order.
  LabelScores mean(std::span<const double> values, std::span<const std::size_t> queries) const {
    std::vector<double> sums(size());
    for (const std::size_t query : queries)
      for (std::size_t m = 0; m < size(); ++m) sums[m] += values[query * size() + m];
    LabelScores scores;
    scores.queries = queries.size();
    for (double& sum : sums) sum /= static_cast<double>(queries.size());
    scores.map = sums[0];
    scores.mrr = sums[1];
    scores.r_precision = sums[2];
    for (std::size_t c = 0; c < cutoffs_.size(); ++c) {
      scores.precision.push_back(sums[3 + 3 * c]);
      scores.recall.push_back(sums[4 + 3 * c]);
      scores.hit.push_back(sums[5 + 3 * c]);
    }
    return scores;
  }

 private:
  const std::vector<std::size_t>& cutoffs_;
};

/// Measures every query as its scores come in; queries that do not count are left zero.
class Evaluation {
 public:
  Evaluation(const Classes& classes, const Measures& measures, std::size_t database, bool leave_one_out)
      : classes_(classes),
        measures_(measures),
        database_(database),
        leave_one_out_(leave_one_out),
        values_(classes.of_query.size() * measures.size()) {}

  bool counts(std::size_t query) const { return classes_.of_query[query] != kUnlabelled && relevant_count(query) > 0; }

  std::uint64_t relevant_count(std::size_t query) const {
    return classes_.members[classes_.of_query[query]].size() - (leave_one_out_ ? 1 : 0);
  }

  /// Thread-safe for different queries.
  void consume(std::size_t first_query, MatrixView<const float> scores) {
    if (scores.cols != database_ || first_query + scores.rows > classes_.of_query.size())
      throw Error(ExitCode::internal, "scores do not have the shape of the evaluation");
    RankCounter counter;
    std::vector<std::uint32_t> others;
    for (std::size_t i = 0; i < scores.rows; ++i) {
      const std::size_t query = first_query + i;
      if (!counts(query)) continue;
      check_finite(query, scores.row(i));
      std::span<const std::uint32_t> relevant = classes_.members[classes_.of_query[query]];
      if (leave_one_out_) {
        others.clear();
        std::ranges::copy_if(relevant, std::back_inserter(others), [&](std::uint32_t p) { return p != query; });
        relevant = others;
      }
      const auto ranks =
          counter.ranks(scores.row(i), relevant, leave_one_out_ ? std::optional<std::size_t>(query) : std::nullopt);
      measures_.measure(ranks, std::span(values_).subspan(query * measures_.size(), measures_.size()));
    }
  }

  std::span<const double> values() const { return values_; }

 private:
  static void check_finite(std::size_t query, std::span<const float> scores) {
    const std::size_t bad = find_not_finite(scores);
    if (bad == scores.size()) return;
    throw DamagedFile(
        fmt::format("query row {}: its score against row {} is {}, expected a finite number; "
                    "the vectors hold numbers too large to be compared in float32",
                    query, bad, scores[bad]));
  }

  const Classes& classes_;
  const Measures& measures_;
  std::size_t database_;
  bool leave_one_out_;
  std::vector<double> values_;
};

std::vector<std::pair<std::string, LabelScores>> mean_per_class(const Classes& classes, const Measures& measures,
                                                                const Evaluation& evaluation,
                                                                std::span<const std::size_t> counted) {
  std::map<std::string_view, std::vector<std::size_t>, decltype(&natural_less)> queries_of(natural_less);
  for (const std::size_t query : counted) queries_of[classes.names[classes.of_query[query]]].push_back(query);
  std::vector<std::pair<std::string, LabelScores>> means;
  for (const auto& [name, queries] : queries_of) means.emplace_back(name, measures.mean(evaluation.values(), queries));
  return means;
}

}  // namespace

LabelReport evaluate_labels(const std::vector<std::optional<std::string>>& database_labels,
                            const std::vector<std::optional<std::string>>& query_labels, bool leave_one_out,
                            const ScoreSource& scores, const LabelEvaluation& options) {
  if (std::ranges::find(options.cutoffs, std::size_t{0}) != options.cutoffs.end())
    throw UsageError("a cut-off of 0 makes no sense; give numbers from 1");
  if (database_labels.size() >= kUnlabelled)
    throw ResourceLimit(fmt::format("{} rows: an evaluation takes fewer than {}", database_labels.size(), kUnlabelled));
  if (leave_one_out && database_labels != query_labels)
    throw Error(ExitCode::internal, "leave-one-out with queries that are not the database");

  const Classes classes = number_labels(database_labels, query_labels);
  const Measures measures(options.cutoffs);
  Evaluation evaluation(classes, measures, database_labels.size(), leave_one_out);

  LabelReport report;
  report.cutoffs = options.cutoffs;
  report.database = database_labels.size();
  report.database_unlabelled = classes.unlabelled_rows;
  for (const auto& members : classes.members) {
    report.classes += !members.empty();
    report.single_classes += members.size() == 1;
  }
  std::vector<std::size_t> counted;
  for (std::size_t query = 0; query < query_labels.size(); ++query) {
    if (!query_labels[query]) ++report.skipped_unlabelled;
    else if (!evaluation.counts(query)) ++report.skipped_alone;
    else counted.push_back(query);
  }
  if (counted.empty())
    throw MissingInput(
        fmt::format("nothing to evaluate: of {} queries {} have no label and {} share theirs with no other "
                    "row of the database; --labels FILE.tsv gives labels",
                    query_labels.size(), report.skipped_unlabelled, report.skipped_alone));

  scores([&](std::size_t first_query, MatrixView<const float> block) { evaluation.consume(first_query, block); });
  report.all = measures.mean(evaluation.values(), counted);
  if (options.per_class) report.per_class = mean_per_class(classes, measures, evaluation, counted);
  return report;
}

}  // namespace cbir
