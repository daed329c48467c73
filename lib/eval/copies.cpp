#include "copies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "judge.hpp"

namespace cbir {
namespace {

constexpr std::uint64_t kFirstRanks = 10;
constexpr double kPrecision = .9;

std::string_view without_dot(std::string_view path) {
  while (path.starts_with("./")) path.remove_prefix(2);
  return path;
}

/// `one` or `many`, in which {} is the count.
std::string sentence(std::uint64_t count, const char* one, const char* many) {
  return fmt::format(fmt::runtime(count == 1 ? one : many), count);
}

void add_micro_averages(Scores& scores, const std::vector<PairPoint>& points, std::uint64_t relevant,
                        const std::string& group) {
  if (relevant == 0) return;
  scores.totals.push_back({"micro_ap", average_precision(points, relevant), group});
  const auto lowest = lowest_with_precision(points, kPrecision);
  const auto found = static_cast<double>(lowest ? lowest->right : 0);
  scores.totals.push_back({"recall@p90", found / static_cast<double>(relevant), group});
  if (lowest) scores.totals.push_back({"threshold@p90", lowest->threshold, group});
}

}  // namespace

bool is_tail(std::string_view part, std::string_view path) {
  part = without_dot(part);
  path = without_dot(path);
  if (path.size() == part.size()) return path == part;
  return path.ends_with(part) && !part.starts_with('/') && path[path.size() - part.size() - 1] == '/';
}

std::string source_name(const CopyTruth& distractor) {
  std::string suffix = fmt::format(".{}.jpg", distractor.attack);
  std::ranges::replace(suffix, ':', '-');
  return distractor.copy.ends_with(suffix) ? distractor.copy.substr(0, distractor.copy.size() - suffix.size())
                                           : distractor.copy;
}

CopyNames::CopyNames(const std::vector<CopyTruth>& truth) : truth_(truth) {
  for (std::size_t i = 0; i < truth.size(); ++i) by_base_name_.emplace(base_name(truth[i].copy), i);
}

std::optional<std::size_t> CopyNames::find(std::string_view query) const {
  std::optional<std::size_t> longest;
  const auto [begin, end] = by_base_name_.equal_range(base_name(query));
  for (auto each = begin; each != end; ++each) {
    const std::string& copy = truth_[each->second].copy;
    if (is_tail(copy, query) && (!longest || copy.size() > truth_[*longest].copy.size())) longest = each->second;
  }
  return longest;
}

RowNames::RowNames(const std::vector<std::string>& paths) : paths_(paths) {
  for (std::uint32_t i = 0; i < paths.size(); ++i) by_base_name_.emplace(base_name(paths[i]), i);
}

std::vector<std::uint32_t> RowNames::find(const std::string& tail) const {
  std::vector<std::uint32_t> found;
  const auto [begin, end] = by_base_name_.equal_range(base_name(tail));
  for (auto each = begin; each != end; ++each)
    if (is_tail(tail, paths_[each->second])) found.push_back(each->second);
  std::ranges::sort(found);
  return found;
}

AttackGroups::AttackGroups(const std::vector<CopyTruth>& truth) {
  std::unordered_map<std::string_view, std::size_t> numbers;
  for (const CopyTruth& copy : truth) {
    const auto [found, fresh] = numbers.try_emplace(copy.attack, names.size());
    if (fresh) names.push_back(copy.attack);
    of_copy.push_back(found->second);
  }
}

void demand_originals(const std::vector<CopyTruth>& truth) {
  if (std::ranges::all_of(truth, [](const CopyTruth& copy) { return copy.original.empty(); }))
    throw MissingInput("the manifest names distractors alone: no query has an original that could be found");
}

void refuse_twice(const std::string& query, const std::string& other, const std::string& copy) {
  throw Incompatible(fmt::format("queries {} and {} are the same copy, {}; expected one ranking of each",
                                 display_path(query), display_path(other), display_path(copy)));
}

void refuse_strangers(const std::string& query, const std::string& copy) {
  throw Incompatible(fmt::format("no query is a copy that the manifest names: a query is {}, a copy of the manifest {}",
                                 display_path(query), display_path(copy)));
}

std::vector<RightPair> right_pairs(const std::vector<CopyOutcome>& outcomes, const AttackGroups& attacks) {
  std::vector<RightPair> pairs;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (outcomes[i].rank != 0) pairs.push_back({outcomes[i].score, attacks.of_copy[i]});
  return pairs;
}

Scores score_copies(const std::vector<CopyTruth>& truth, const AttackGroups& attacks, std::vector<CopyOutcome> outcomes,
                    const PairCounter& pairs, std::uint64_t unknown_queries, bool curves) {
  Scores scores{.protocol = "copies", .measures = {"first", "mrr", "r@10"}, .group_kind = "attack", .queries = {}};
  std::vector<std::uint64_t> relevant(attacks.names.size()), first(attacks.names.size());
  std::vector<std::string> missing;
  std::uint64_t all_relevant = 0, all_first = 0, sources = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    CopyOutcome& outcome = outcomes[i];
    const bool distractor = truth[i].original.empty();
    if (outcome.query.empty()) missing.push_back(truth[i].copy);
    sources += outcome.finds_source;
    relevant[attacks.of_copy[i]] += !distractor;
    first[attacks.of_copy[i]] += outcome.rank == 1;
    all_relevant += !distractor;
    all_first += outcome.rank == 1;
    const auto rank = static_cast<double>(outcome.rank);
    const bool found = outcome.rank != 0;
    std::vector<double> values{outcome.rank == 1 ? 1.0 : 0.0, found ? 1 / rank : 0.0,
                               found && outcome.rank <= kFirstRanks ? 1.0 : 0.0};
    if (distractor) values.assign(values.size(), kNoValue);
    scores.queries.push_back({.query = outcome.query.empty() ? truth[i].copy : std::move(outcome.query),
                              .group = truth[i].attack,
                              .relevant = distractor ? 0U : 1U,
                              .values = std::move(values),
                              .top = std::move(outcome.top),
                              .missed = std::move(outcome.missed)});
  }

  const std::vector<PairPoint> points = pairs.points();
  add_micro_averages(scores, points, all_relevant, "");
  scores.counts = {{"first_count", all_first},
                   {"distractors", truth.size() - all_relevant},
                   {"queries_missing", missing.size()},
                   {"queries_unknown", unknown_queries}};
  for (std::size_t group = 0; group < attacks.names.size(); ++group) {
    add_micro_averages(scores, pairs.points(group), relevant[group], attacks.names[group]);
    scores.counts.push_back({"first_count", first[group], attacks.names[group]});
  }
  if (curves) scores.precision_at = interpolated_precision(points, all_relevant);

  if (!missing.empty())
    scores.remarks.push_back(sentence(missing.size(),
                                      "{} copy of the manifest has no ranking and counts as not found: ",
                                      "{} copies of the manifest have no ranking and count as not found: ") +
                             name_some({missing.begin(), missing.end()}));
  if (unknown_queries)
    scores.remarks.push_back(sentence(unknown_queries, "{} query that the manifest does not name is left out",
                                      "{} queries that the manifest does not name are left out"));
  if (points.empty())
    scores.remarks.push_back(
        "no original stands in the ranking of its copy; were the originals indexed under other paths?");
  if (sources)
    scores.remarks.push_back(
        sentence(sources, "{} distractor finds a picture of its name", "{} distractors find pictures of their names") +
        ", which counts as wrong; a distractor's picture must not be indexed (database.txt lists those that may be)");
  return scores;
}

std::vector<CopyTruth> parse_copy_manifest(std::string_view text, const std::string& name) {
  std::vector<CopyTruth> truth;
  std::unordered_set<std::string> seen;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const auto fields = split(line, '\t');
    if (fields.size() < 3)
      throw DamagedFile(
          fmt::format("{}, line {}: found {}; expected copy, original and attack between tabs, as "
                      "cbir-doctor writes them",
                      display_path(name), number, counted(fields.size(), "column")));
    truth.push_back({tsv_unescape(fields[0]), tsv_unescape(fields[1]), tsv_unescape(fields[2])});
    if (!seen.insert(truth.back().copy).second)
      throw DamagedFile(fmt::format("{}, line {}: copy {} stands twice", display_path(name), number,
                                    display_path(truth.back().copy)));
  }
  if (truth.empty()) throw MissingInput(fmt::format("{}: names no copies", display_path(name)));
  return truth;
}

std::vector<CopyTruth> read_copy_manifest(const std::string& path) {
  return parse_copy_manifest(read_text(path), path == "-" ? "standard input" : path);
}

}  // namespace cbir
