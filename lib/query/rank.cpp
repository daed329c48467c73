#include "rank.hpp"

#include <algorithm>
#include <utility>

#include <cbir/base/parallel.hpp>

namespace cbir {
namespace {

constexpr std::size_t kGrain = 8;  // rankings whose rows a thread looks up at a time

}  // namespace

std::size_t Ranker::depth() const {
  return options_.verifier ? std::max(options_.k, options_.verifier->top()) : options_.k;
}

Ranking Ranker::make(Asker asker, const std::vector<Hit>& hits) const {
  Ranking ranking{.query = std::move(asker.name),
                  .picture = std::move(asker.picture),
                  .row = asker.row,
                  .label = std::move(asker.label),
                  .text = asker.text,
                  .terms = std::move(asker.terms),
                  .results = {}};
  const auto cut = [&](float score) { return options_.min_score && score < *options_.min_score; };
  for (const Hit& hit : hits) {
    if (ranking.results.size() == depth() || (!options_.verifier && cut(hit.score))) break;
    if (options_.exclude_self && hit.id == ranking.row) continue;
    RowInfo row = index_.row(*index_.position_of(hit.id));
    std::string path = row.text ? std::move(row.path) : options_.prefix.apply(std::move(row.path));
    std::string picture = row.picture.empty() ? std::string() : options_.prefix.apply(std::move(row.picture));
    ranking.results.push_back({.id = hit.id,
                               .score = hit.score,
                               .path = std::move(path),
                               .label = std::move(row.label),
                               .text = row.text,
                               .picture = std::move(picture),
                               .box = row.box,
                               .width = row.width.value_or(0),
                               .height = row.height.value_or(0)});
  }
  if (options_.verifier) {
    options_.verifier->rank(ranking);
    const auto end = std::ranges::find_if(ranking.results, [&](const RankedRow& row) { return cut(row.score); });
    const auto length =
        std::min<std::ptrdiff_t>(end - ranking.results.begin(), static_cast<std::ptrdiff_t>(options_.k));
    ranking.results.erase(ranking.results.begin() + length, ranking.results.end());
  }
  return ranking;
}

void Ranker::count(const Ranking& ranking, const std::vector<Hit>& hits) {
  ++report_.queries;
  report_.results += ranking.results.size();
  if (!ranking.results.empty() || !options_.min_score) return;
  ++report_.empty;
  const auto other =
      std::ranges::find_if(hits, [&](const Hit& hit) { return !options_.exclude_self || hit.id != ranking.row; });
  if (other != hits.end()) report_.best_left_out = std::max(other->score, report_.best_left_out.value_or(other->score));
}

std::vector<std::vector<Hit>> Ranker::search(MatrixView<const float> queries, std::size_t k,
                                             const std::vector<Asker>& askers) {
  if (!options_.improved) return index_.search(queries, k, options_.effort, report_.counts, options_.filter);
  std::vector<std::optional<std::uint64_t>> own;
  for (const Asker& asker : askers) own.push_back(asker.row);
  return options_.improved->search(queries, own, k, options_.effort, report_.counts, options_.filter);
}

void Ranker::rank(MatrixView<const float> queries, std::vector<Asker>& askers) {
  // One more than asked for, so that k remain when the row itself is left out.
  const std::size_t k = std::min<std::size_t>(depth() + (options_.exclude_self ? 1 : 0), index_.size());
  const std::vector<std::vector<Hit>> hits = search(queries, k, askers);
  std::vector<Ranking> rankings(askers.size());
  parallel_blocks(askers.size(), kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) rankings[i] = make(std::move(askers[i]), hits[i]);
  });
  for (std::size_t i = 0; i < rankings.size(); ++i) {
    count(rankings[i], hits[i]);
    sink_(rankings[i]);
  }
}

}  // namespace cbir
