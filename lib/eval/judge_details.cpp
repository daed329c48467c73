#include "judge_details.hpp"

#include <algorithm>
#include <unordered_map>

namespace cbir {

// Until finish(), JudgedItem::item is the number of an item of the rankings or, of what no item is, the number of its
// name after them.

void DetailCollector::add(const QueryRanking& ranking, const Topic& topic, const JudgedRanking& judged,
                          const Removed& removed, QueryScores& query) {
  if (options_.top > 0) {
    list_top(ranking, topic, removed, query);
    list_missed(topic, judged, query);
  }
  if (!options_.curves) return;
  std::vector<std::uint32_t> without;
  std::vector<float> relevant;
  for (const RankedItem& each : removed) without.push_back(each.item);
  for (const Placed& each : judged.placed) {
    if (topic.marks[each.judgement] == Mark::junk) without.push_back(each.item);
    if (topic.marks[each.judgement] == Mark::relevant) relevant.push_back(static_cast<float>(each.score));
  }
  std::ranges::sort(without);
  ScoreHistogram histogram;
  histogram.add(ranking.scores(without));
  for (const float score : relevant) histogram.mark_relevant(score);
  const auto ranks = judged.clean_ranks(topic.marks);
  const std::lock_guard lock(mutex_);
  histogram_.add(histogram);
  curve_.add(ranks, query.relevant);
}

void DetailCollector::add_missing(const Topic& topic, QueryScores& query) {
  if (options_.top > 0) list_missed(topic, {}, query);
  if (options_.curves) curve_.add({}, query.relevant);
}

void DetailCollector::list_top(const QueryRanking& ranking, const Topic& topic, const Removed& removed,
                               QueryScores& query) const {
  auto next = removed.begin();
  for (const RankedItem& each : ranking.first(options_.top + removed.size())) {
    if (next != removed.end() && next->item == each.item) {
      ++next;
      continue;
    }
    if (query.top.size() == options_.top) break;
    const auto name = std::ranges::lower_bound(topic.judged, match_.of_item[each.item]);
    const bool judged = name != topic.judged.end() && *name == match_.of_item[each.item];
    query.top.push_back(
        {.item = each.item,
         .rank = query.top.size() + 1,
         .score = each.score,
         .mark = judged ? topic.marks[static_cast<std::size_t>(name - topic.judged.begin())] : Mark::irrelevant});
  }
}

void DetailCollector::list_missed(const Topic& topic, const JudgedRanking& judged, QueryScores& query) const {
  std::vector<bool> found(topic.judged.size());
  const auto wanted = [&] { return query.missed.size() < options_.missed; };
  for (const Placed& each : judged.placed) {
    found[each.judgement] = true;
    if (topic.marks[each.judgement] == Mark::relevant && each.rank > query.top.size() && wanted())
      query.missed.push_back({.item = each.item, .rank = each.rank, .score = each.score, .mark = Mark::relevant});
  }
  for (std::size_t j = 0; j < topic.judged.size(); ++j)
    if (topic.marks[j] == Mark::relevant && !found[j] && wanted())
      query.missed.push_back({.item = static_cast<std::uint32_t>(rankings_.items().size()) + topic.judged[j],
                              .rank = JudgedItem::kUnranked,
                              .score = 0,
                              .mark = Mark::relevant});
}

void DetailCollector::finish(Scores& scores) {
  std::unordered_map<std::uint32_t, std::uint32_t> numbers;
  const auto renumber = [&](std::vector<JudgedItem>& list) {
    for (JudgedItem& each : list) {
      const auto [number, fresh] = numbers.try_emplace(each.item, static_cast<std::uint32_t>(scores.items.size()));
      const std::size_t items = rankings_.items().size();
      if (fresh)
        scores.items.push_back(each.item < items ? rankings_.items()[each.item] : truth_.names[each.item - items]);
      each.item = number->second;
    }
  };
  for (QueryScores& query : scores.queries) {
    renumber(query.top);
    renumber(query.missed);
  }
  if (!options_.curves) return;
  scores.precision_at = curve_.mean();
  scores.distribution = histogram_.distribution();
}

}  // namespace cbir
