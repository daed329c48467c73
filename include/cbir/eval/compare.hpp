#pragma once
/// Whether a change helped: two evaluations of the same queries, query by query.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/eval/scores.hpp>

namespace cbir {

/// Positions in the two Scores::queries.
struct QueryPair {
  std::size_t a = 0, b = 0;
};

/// Whether less of a measure is better: of ranks ("t2i_rank"), where all others are shares of what could be reached.
bool lower_is_better(std::string_view measure);

/// What became of one measure, over the pairs in which both have it. A difference is b - a; one of less than 1e-12 is
/// rounding and counts as none.
struct MeasureComparison {
  std::string measure;
  double a = kNoValue, b = kNoValue;               ///< means
  double difference = kNoValue;                    ///< of the means
  Interval interval;                               ///< of the difference: percentile bootstrap of pairs
  double p_value = kNoValue;                       ///< of the randomisation test, two-sided
  bool exact = false;                              ///< whether every assignment of signs was looked at
  std::uint64_t queries = 0;                       ///< pairs that have it
  std::uint64_t better = 0, worse = 0, equal = 0;  ///< pairs, of b

  /// 1 if the interval says that b is better, -1 if worse, 0 if it does not say.
  int verdict() const;
};

struct Comparison {
  std::vector<QueryPair> pairs;                               ///< in the order of A
  std::vector<std::string> only_a, only_b;                    ///< names of queries that the other one lacks
  std::vector<MeasureComparison> measures;                    ///< that both have, in the order of A
  std::vector<std::string> measures_only_a, measures_only_b;  ///< that the other one lacks
};

struct ComparisonOptions {
  std::string name_a = "A", name_b = "B";  ///< of files, for messages
  BootstrapOptions bootstrap;              ///< its resamples are the assignments of signs, too
};

/// Pairs queries by name; of several that have one name the n-th goes with the n-th.
///
/// The test is Fisher's randomisation test of paired differences (Smucker, Allan, Carterette: A comparison of
/// statistical significance tests for information retrieval evaluation, 2007): if the two were equally good, the sign
/// of each difference would be a coin's. The p-value is the share of assignments of signs whose mean difference is at
/// least as far from 0 as that which was seen. With up to 20 differences that are not 0 all assignments are looked at,
/// else random ones, and the p-value is (1 + those at least as far) / (1 + all), so never 0.
///
/// Throws Incompatible if the protocols differ, or no query or no measure is common.
Comparison compare_scores(const Scores& a, const Scores& b, const ComparisonOptions& options);

/// A query whose measure changed.
struct MovedQuery {
  std::string query;
  QueryPair pair;
  double a = 0, b = 0;
};

struct Moves {
  std::string measure;
  std::vector<MovedQuery> queries;  ///< those that moved most, either way, first; equal moves in the order of A
};

/// The `count` pairs that moved most; those that did not move are left out. Throws UsageError for a measure that one of
/// the two lacks.
Moves most_moved(const Scores& a, const Scores& b, const Comparison& comparison, const std::string& measure,
                 std::size_t count);

/// A table: a line of names (measure, a, b, difference, low, high, p, better, worse, equal, queries), then a line a
/// measure; a missing number as "-". Moves, if there are, as a second table after an empty line.
std::string to_tsv(const Comparison& comparison, const Moves* moves);
/// One object with the same names.
std::string to_json(const Comparison& comparison, const Moves* moves);

/// Queries and measures that stand in one alone, a sentence each. Empty if there are none.
std::vector<std::string> remarks(const Comparison& comparison, const ComparisonOptions& options);

}  // namespace cbir
