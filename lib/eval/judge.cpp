#include "judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "judge_details.hpp"
#include "names.hpp"

namespace cbir {
namespace {

constexpr std::size_t kNoQuery = static_cast<std::size_t>(-1);

/// Which query of the rankings is which topic.
struct Queries {
  std::vector<std::size_t> of_topic;  ///< kNoQuery: none
  std::vector<std::string_view> unknown, doubled;
};

/// The first query of each name, by name number.
std::vector<std::size_t> first_items(const NameMatch& match) {
  std::vector<std::size_t> first;
  for (const auto& items : match.items) first.push_back(items.empty() ? kNoQuery : items.front());
  return first;
}

Queries match_queries(const Rankings& rankings, const GroundTruth& truth) {
  std::vector<std::string> names, pictures;
  std::unordered_map<std::string_view, std::size_t> picture_numbers;
  for (const Topic& topic : truth.topics) {
    names.push_back(topic.name);
    if (!topic.picture.empty() && picture_numbers.try_emplace(topic.picture, pictures.size()).second)
      pictures.push_back(topic.picture);
  }
  const NameMatch by_name = match_names(rankings.queries(), names, truth.prefix);
  const NameMatch by_picture = match_names(rankings.queries(), pictures, truth.prefix);
  const auto named = first_items(by_name), pictured = first_items(by_picture);

  Queries queries;
  std::vector<bool> used(rankings.queries().size());
  for (std::size_t t = 0; t < truth.topics.size(); ++t) {
    std::size_t query = named[t];
    if (const auto found = picture_numbers.find(truth.topics[t].picture);
        query == kNoQuery && found != picture_numbers.end())
      query = pictured[found->second];
    queries.of_topic.push_back(query);
    if (query != kNoQuery) used[query] = true;
  }
  if (rankings.queries_itself()) return queries;  // whose rows are not all meant to query
  for (std::size_t q = 0; q < used.size(); ++q) {
    if (used[q]) continue;
    const bool known = by_name.of_item[q] != kNoName || by_picture.of_item[q] != kNoName;
    (known ? queries.doubled : queries.unknown).push_back(rankings.queries()[q]);
  }
  return queries;
}

/// What is to be done: a row of scores a topic that asks for something.
struct Plan {
  std::vector<std::size_t> topics;        ///< one a row
  std::vector<std::size_t> chosen, rows;  ///< queries that have rankings, and the row of each
  std::vector<std::string_view> missing;  ///< topics of rows that have none
  std::vector<std::string_view> empty;    ///< topics that ask for nothing
};

Plan make_plan(const Rankings& rankings, const GroundTruth& truth, const Queries& queries) {
  if (std::ranges::all_of(queries.of_topic, [](std::size_t query) { return query == kNoQuery; }))
    throw Incompatible(fmt::format(
        "{} {} none of the queries of {}: it has {}, the ground truth {}{}", display_path(rankings.name()),
        rankings.queries_itself() ? "holds" : "answers", display_path(truth.origin),
        display_path(rankings.queries().front()), display_path(truth.topics.front().name),
        truth.topics.front().picture.empty() ? "" : ", which is " + display_path(truth.topics.front().picture)));
  Plan plan;
  for (std::size_t t = 0; t < truth.topics.size(); ++t) {
    if (truth.topics[t].relevant == 0) {
      plan.empty.push_back(truth.topics[t].name);
      continue;
    }
    if (queries.of_topic[t] == kNoQuery) {
      plan.missing.push_back(truth.topics[t].name);
    } else {
      plan.chosen.push_back(queries.of_topic[t]);
      plan.rows.push_back(plan.topics.size());
    }
    plan.topics.push_back(t);
  }
  if (plan.topics.empty())
    throw MissingInput(fmt::format("{}: no query has anything relevant", display_path(truth.origin)));
  return plan;
}

/// Which items are which names, and those that are one name together.
struct Items {
  NameMatch match;
  std::vector<std::uint32_t> alike;  ///< items of names that several are, ascending

  Items(const Rankings& rankings, const GroundTruth& truth)
      : match(match_names(rankings.items(), truth.names, truth.prefix)) {
    for (const auto& items : match.items)
      if (items.size() > 1) alike.insert(alike.end(), items.begin(), items.end());
    std::ranges::sort(alike);
  }
};

/// Finds a topic's judged items in its ranking. What is there twice counts where it is first, and `self` does not count
/// unless it is judged; what follows the removed closes up.
JudgedRanking place(const QueryRanking& ranking, const Topic& topic, const Items& items,
                    std::optional<std::uint32_t> self, Removed& removed) {
  std::vector<std::uint32_t> wanted = items.alike;
  if (self) wanted.push_back(*self);
  for (const std::uint32_t name : topic.judged)
    wanted.insert(wanted.end(), items.match.items[name].begin(), items.match.items[name].end());
  std::ranges::sort(wanted);
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());

  JudgedRanking judged{.placed = {}, .size = ranking.size()};
  std::vector<bool> seen_judged(topic.judged.size());
  std::unordered_set<std::uint32_t> seen_others;
  for (const RankedItem& found : ranking.find(wanted)) {
    const std::uint32_t name = items.match.of_item[found.item];
    const auto place = std::ranges::lower_bound(topic.judged, name);
    const auto judgement = static_cast<std::size_t>(place - topic.judged.begin());
    if (place != topic.judged.end() && *place == name) {
      if (seen_judged[judgement]) {
        removed.push_back(found);
      } else {
        judged.placed.push_back({judgement, found.item, found.rank - removed.size(), found.score});
        seen_judged[judgement] = true;
      }
    } else if (found.item == self || !seen_others.insert(name).second) {
      removed.push_back(found);
    }
  }
  judged.size -= removed.size();
  return judged;
}

/// Where the query's picture lies: as the set or the index of the queries says, or else the run, or the ground truth.
/// Empty if that is its name.
std::string picture_of(const Topic& topic, const Rankings& rankings, std::size_t query) {
  std::string picture = topic.picture;
  if (query != kNoQuery) {
    const std::string row = rankings.query_picture(query), &named = rankings.queries()[query];
    if (!row.empty()) picture = row;
    else if (named != topic.name) picture = named;
  }
  return picture == topic.name ? "" : picture;
}

void add_remark(Scores& scores, const std::vector<std::string_view>& names, const char* one, const char* many) {
  if (names.empty()) return;
  scores.remarks.push_back(fmt::format("{} {}: {}", names.size(), names.size() == 1 ? one : many, name_some(names)));
}

void report_queries(const Queries& queries, const Plan& plan, Scores& scores) {
  scores.counts.push_back({"queries_missing", plan.missing.size()});
  scores.counts.push_back({"queries_empty", plan.empty.size()});
  scores.counts.push_back({"queries_unknown", queries.unknown.size()});
  add_remark(scores, plan.missing, "query of the ground truth has no ranking and counts as if nothing were found",
             "queries of the ground truth have no ranking and count as if nothing were found");
  add_remark(scores, plan.empty, "query has nothing relevant and is left out of the means",
             "queries have nothing relevant and are left out of the means");
  add_remark(scores, queries.unknown, "query that the ground truth does not name is left out",
             "queries that the ground truth does not name are left out");
  add_remark(scores, queries.doubled, "query is one that another ranking answers already, and is left out",
             "queries are ones that other rankings answer already, and are left out");
}

void report_items(const Rankings& rankings, const GroundTruth& truth, const NameMatch& match, Scores& scores) {
  const auto names_of = [&](const std::vector<std::uint32_t>& items) {
    std::vector<std::string_view> names;
    for (const std::uint32_t item : items) names.push_back(rankings.items()[item]);
    return names;
  };
  std::vector<std::string_view> missing, extra;
  for (std::size_t name = 0; name + truth.unexpected < truth.names.size(); ++name)
    if (match.items[name].empty()) missing.push_back(truth.names[name]);
  if (truth.names_are_all)
    for (std::size_t item = 0; item < rankings.items().size(); ++item)
      if (match.of_item[item] == kNoName) extra.push_back(rankings.items()[item]);

  scores.counts.push_back({"items", rankings.items().size()});
  scores.counts.push_back({"items_missing", missing.size()});
  if (truth.names_are_all) scores.counts.push_back({"items_extra", extra.size()});
  if (!missing.empty() && missing.size() + truth.unexpected == truth.names.size())
    scores.remarks.push_back(
        fmt::format("nothing in the rankings bears a name of the ground truth: they hold {}, it {}; "
                    "are they of one collection?",
                    display_path(rankings.items().front()), display_path(truth.names.front())));
  else if (rankings.is_run())
    add_remark(scores, missing, "item that the ground truth names is in no ranking",
               "items that the ground truth names are in no ranking");
  else
    add_remark(scores, missing, "item that the ground truth names is missing in the database and counts as not found",
               "items that the ground truth names are missing in the database and count as not found");
  add_remark(scores, extra, "item is not of the collection and counts as a wrong answer",
             "items are not of the collection and count as wrong answers");
  add_remark(scores, names_of(match.ambiguous),
             "item could be several that the ground truth names, and counts as none of them",
             "items could be several that the ground truth names, and count as none of them");
  add_remark(scores, names_of(match.other_case),
             "item differs only in case from a name of the ground truth, and is another therefore",
             "items differ only in case from names of the ground truth, and are others therefore");
}

}  // namespace

std::string name_some(const std::vector<std::string_view>& names) {
  constexpr std::size_t kNamed = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, names.size()); ++i)
    text += fmt::format("{}{}", i ? ", " : "", display_path(names[i]));
  if (names.size() > kNamed) text += fmt::format(" and {} more", names.size() - kNamed);
  return text;
}

std::vector<std::uint64_t> JudgedRanking::clean_ranks(const std::vector<Mark>& marks) const {
  std::vector<std::uint64_t> ranks;
  std::uint64_t removed = 0;
  for (const Placed& each : placed) {
    if (marks[each.judgement] == Mark::junk) ++removed;
    else if (marks[each.judgement] == Mark::relevant) ranks.push_back(each.rank - removed);
  }
  return ranks;
}

void judge(const Rankings& rankings, const GroundTruth& truth, const TopicMeasure& measure,
           const DetailOptions& details, const EvaluationProgress& progress, Scores& scores) {
  const Queries queries = match_queries(rankings, truth);
  const Plan plan = make_plan(rankings, truth, queries);
  const Items items(rankings, truth);
  for (const std::size_t t : plan.topics)
    scores.queries.push_back({.query = truth.topics[t].name,
                              .group = truth.topics[t].group,
                              .relevant = truth.topics[t].relevant,
                              .values = {},
                              .picture = picture_of(truth.topics[t], rankings, queries.of_topic[t])});

  DetailCollector collector(rankings, truth, items.match, details);
  std::mutex mutex;
  std::uint64_t done = 0, doubled = rankings.doubles();
  rankings.each(plan.chosen, [&](std::size_t i, const QueryRanking& ranking) {
    const std::size_t row = plan.rows[i], t = plan.topics[row];
    const bool may_be_taken_out = !truth.answers_itself && rankings.queries_itself();
    const auto self = may_be_taken_out ? std::optional(static_cast<std::uint32_t>(plan.chosen[i])) : std::nullopt;
    Removed removed;
    const JudgedRanking judged = place(ranking, truth.topics[t], items, self, removed);
    scores.queries[row].values = measure(t, judged);
    collector.add(ranking, truth.topics[t], judged, removed, scores.queries[row]);
    const std::lock_guard lock(mutex);
    doubled += static_cast<std::uint64_t>(
        std::ranges::count_if(removed, [&](const RankedItem& each) { return each.item != self; }));
    if (progress) progress(++done, plan.chosen.size());
  });
  for (std::size_t row = 0; row < scores.queries.size(); ++row) {
    if (!scores.queries[row].values.empty()) continue;
    scores.queries[row].values = measure(plan.topics[row], {});
    collector.add_missing(truth.topics[plan.topics[row]], scores.queries[row]);
  }
  collector.finish(scores);

  report_queries(queries, plan, scores);
  report_items(rankings, truth, items.match, scores);
  scores.counts.push_back({"doubles", doubled});
  if (doubled)
    scores.remarks.push_back(fmt::format("{} in a ranking that holds the same item before {} left out",
                                         counted(doubled, "result"), doubled == 1 ? "is" : "are"));
}

}  // namespace cbir
