#pragma once
/// What an evaluation found, whatever its protocol: a row of measures a query, from which means, intervals,
/// comparisons, tables and pages are made.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cbir {

/// What the ground truth says of an item, for one query.
enum class Mark : std::uint8_t {
  irrelevant,
  relevant,
  junk  ///< neither: taken out of the ranking before anything is counted
};

/// An item in one query's ranking.
struct JudgedItem {
  static constexpr std::uint64_t kUnranked = 0;  ///< rank of an item that the ranking lacks

  std::uint32_t item = 0;          ///< in Scores::items
  std::uint64_t rank = kUnranked;  ///< from 1, among all that the ranking holds, junk included
  double score = 0;                ///< higher is better
  Mark mark = Mark::irrelevant;
};

/// A measure that a query has no value of; it is no part of that measure's mean.
inline constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();

/// What is a text, where others have pictures.
enum class Texts : std::uint8_t { none, query, items };

struct QueryScores {
  std::string query = {};               ///< its name in the ranking: a path, a topic
  std::string group = {};               ///< class, attack, landmark; empty: none
  std::uint64_t relevant = 0;           ///< items that it asks for
  std::vector<double> values = {};      ///< one a measure, or kNoValue
  std::vector<JudgedItem> top = {};     ///< the first of its ranking, if wanted
  std::vector<JudgedItem> missed = {};  ///< relevant items below those, if wanted; by rank, unranked ones last
  std::string picture = {};             ///< path of its picture, if `query` is not; empty: it is
  Texts texts = Texts::none;
};

/// A value of all queries together that is no mean over them: a micro-average, a threshold.
struct Total {
  std::string name;
  double value = 0;
  std::string group = {};  ///< whose queries alone these are; empty: all
};

struct Count {
  std::string name;
  std::uint64_t value = 0;
  std::string group = {};  ///< as Total's
};

/// How scores of relevant and of irrelevant items lie: counts in bins of equal width over [low, high].
struct ScoreDistribution {
  double low = 0, high = 0;
  std::vector<std::uint64_t> relevant, irrelevant;
};

/// Rows of measures of the queries that count, and what else there is to say.
struct Scores {
  std::string protocol = {};               ///< "labels", "oxford", ...: the sub-command's name
  std::string subject = {};                ///< what was evaluated, for people: the run, set or index as named
  std::vector<std::string> measures = {};  ///< "map", "p@10", ..., in the order in which they are printed
  std::string group_kind = {};             ///< what a group is: "class", "attack", "landmark"; empty: there are none
  std::vector<QueryScores> queries = {};
  std::vector<Total> totals = {};         ///< printed after the means
  std::vector<Count> counts = {};         ///< printed last; "queries" comes first by itself
  std::vector<std::string> remarks = {};  ///< what a reader must know, a sentence each: what was left out, and why

  std::vector<std::string> items = {};    ///< names of what rankings hold, as far as JudgedItems need them
  std::vector<double> precision_at = {};  ///< mean interpolated precision at recall 0, 1/100, ... 1; or empty
  std::optional<ScoreDistribution> distribution = {};

  std::size_t measure(std::string_view name) const;  ///< its position; throws UsageError that lists what there is
};

/// What an evaluation keeps besides the measures; both cost time and memory.
struct DetailOptions {
  std::size_t top = 0;      ///< items of each ranking, for `top`; 0: neither `top` nor `missed`
  std::size_t missed = 20;  ///< at most
  bool curves = false;      ///< `precision_at` and `distribution`
};

/// The mean of a measure over the queries that have it, and how many these are.
struct Mean {
  double value = kNoValue;
  std::uint64_t queries = 0;
};

/// One a measure; sums in the order of the queries, so that the result does not depend on anything else.
std::vector<Mean> means(const Scores& scores);

/// The same by group, in natural order of their names.
std::vector<std::pair<std::string, std::vector<Mean>>> group_means(const Scores& scores);

struct Interval {
  double low = kNoValue, high = kNoValue;
};

struct BootstrapOptions {
  std::size_t resamples = 10'000;
  std::uint64_t seed = 1;
  double confidence = .95;
};

/// Percentile bootstrap of the mean of each measure over queries (Efron and Tibshirani, An Introduction to the
/// Bootstrap, 1993, chapter 13). The same seed gives the same intervals, with any number of threads.
std::vector<Interval> bootstrap_intervals(const Scores& scores, const BootstrapOptions& options);

struct ScoreTextOptions {
  bool groups = false;                               ///< means of each group too
  const std::vector<Interval>* intervals = nullptr;  ///< one a measure: lines NAME_low and NAME_high after NAME
};

/// `name<TAB>value`, of a group `name<TAB>group<TAB>value`; fractions with six decimals, counts as integers. A measure
/// that no query has is left out.
std::string to_tsv(const Scores& scores, const ScoreTextOptions& options);
/// One object with the same names, numbers in full; groups as a list of objects "per_<group_kind>".
std::string to_json(const Scores& scores, const ScoreTextOptions& options);

/// A table of the measures of each query: a line of names (query, group, relevant, then the measures), then a line a
/// query; fields escaped as in all our TSV files, a missing value as "-".
std::string per_query_tsv(const Scores& scores);

/// Scores with all that they hold as a file of JSON lines: what `cbir-eval compare` and `cbir-eval report` read. The
/// first line is the head, with "format": "cbir scores", "version": 1; each later one a query; the layout is
/// docs/formats.md.
std::string to_json_lines(const Scores& scores);
/// Throws MissingInput, DamagedFile (naming the line), Incompatible (a newer version). "-" is standard input.
Scores read_scores(const std::string& path);
/// As above, from memory; `name` is for messages.
Scores parse_scores(std::string_view text, const std::string& name);

}  // namespace cbir
