#include <cbir/eval/rankings.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/eval/ranking_file.hpp>

#include "best.hpp"
#include "ranks.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRunQueries = 16;  ///< of a run, that a thread takes at a time

/// A ranking as a run lists it.
class ListedRanking final : public QueryRanking {
 public:
  std::vector<RankedItem> items;

  std::uint64_t size() const override { return items.size(); }

  std::vector<RankedItem> find(std::span<const std::uint32_t> wanted) const override {
    std::vector<RankedItem> found;
    for (const RankedItem& each : items)
      if (std::ranges::binary_search(wanted, each.item)) found.push_back(each);
    return found;
  }

  std::vector<RankedItem> first(std::size_t count) const override {
    return {items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(count, items.size()))};
  }

  std::vector<float> scores(std::span<const std::uint32_t> without) const override {
    std::vector<float> wanted;
    for (const RankedItem& each : items)
      if (!std::ranges::binary_search(without, each.item)) wanted.push_back(static_cast<float>(each.score));
    return wanted;
  }
};

/// A ranking of all rows, by their scores; it is never written down.
class ScoredRanking final : public QueryRanking {
 public:
  ScoredRanking(std::span<const float> scores, RankCounter& counter) : scores_(scores), counter_(counter) {}

  std::uint64_t size() const override { return scores_.size(); }

  std::vector<RankedItem> find(std::span<const std::uint32_t> wanted) const override {
    const auto ranks = counter_.ranks(scores_, wanted, std::nullopt);
    std::vector<RankedItem> found;
    for (const RankCounter::Item& item : counter_.relevant())
      found.push_back({item.position, ranks[found.size()], item.score});
    return found;
  }

  std::vector<RankedItem> first(std::size_t count) const override {
    std::vector<RankedItem> items;
    for (const std::uint32_t position : best_positions(scores_, count, std::nullopt))
      items.push_back({position, items.size() + 1, scores_[position]});
    return items;
  }

  std::vector<float> scores(std::span<const std::uint32_t> without) const override {
    std::vector<float> wanted;
    wanted.reserve(scores_.size());
    auto next = scores_.begin();
    for (const std::uint32_t item : without) {
      wanted.insert(wanted.end(), next, scores_.begin() + item);
      next = scores_.begin() + item + 1;
    }
    wanted.insert(wanted.end(), next, scores_.end());
    return wanted;
  }

 private:
  std::span<const float> scores_;
  RankCounter& counter_;
};

}  // namespace

struct Rankings::Impl {
  std::string name;
  std::vector<std::string> items, queries;

  std::vector<ListedRanking> run;
  std::uint64_t doubles = 0;

  std::optional<Collection> database, others;

  void read_run();
  void open_collections(const RankingSource& source);
  void each_of_run(std::span<const std::size_t> chosen,
                   const std::function<void(std::size_t, const QueryRanking&)>& consume) const;
  void each_of_collection(std::span<const std::size_t> chosen,
                          const std::function<void(std::size_t, const QueryRanking&)>& consume) const;
};

void Rankings::Impl::read_run() {
  std::unordered_map<std::string, std::uint32_t> numbers;
  for (RankedQuery& query : read_ranking(name)) {
    queries.push_back(std::move(query.query));
    ListedRanking& ranking = run.emplace_back();
    std::unordered_set<std::uint32_t> seen;
    for (std::size_t i = 0; i < query.results.size(); ++i) {
      const auto [found, fresh] = numbers.try_emplace(query.results[i], static_cast<std::uint32_t>(items.size()));
      if (fresh) items.push_back(query.results[i]);
      if (!seen.insert(found->second).second) {
        ++doubles;
        continue;
      }
      ranking.items.push_back({found->second, ranking.items.size() + 1, query.scores[i]});
    }
  }
}

void Rankings::Impl::open_collections(const RankingSource& source) {
  database = Collection::open(name, source.metric);
  if (database->rows() > std::numeric_limits<std::uint32_t>::max())
    throw ResourceLimit(fmt::format("{}: {} rows; an evaluation takes up to {}", display_path(name), database->rows(),
                                    std::numeric_limits<std::uint32_t>::max()));
  items = database->labelled_rows(nullptr).names;
  if (source.queries) {
    others = Collection::open(*source.queries, std::nullopt);
    database->check_queries(*others, source.allow_mismatch);
    queries = others->labelled_rows(nullptr).names;
  }
  if (source.improve.any()) database->improve(others ? &*others : nullptr, source.improve, source.allow_mismatch);
}

void Rankings::Impl::each_of_run(std::span<const std::size_t> chosen,
                                 const std::function<void(std::size_t, const QueryRanking&)>& consume) const {
  parallel_blocks(chosen.size(), kRunQueries, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) consume(i, run[chosen[i]]);
  });
}

void Rankings::Impl::each_of_collection(std::span<const std::size_t> chosen,
                                        const std::function<void(std::size_t, const QueryRanking&)>& consume) const {
  database->score_rows(others ? *others : *database, chosen, [&](std::size_t first, MatrixView<const float> block) {
    RankCounter counter;
    for (std::size_t i = 0; i < block.rows; ++i) {
      const std::size_t query = chosen[first + i];
      const auto scores = block.row(i);
      if (const std::size_t bad = find_not_finite(scores); bad < scores.size())
        throw DamagedFile(fmt::format(
            "{}: the score of row {} for the query row {} of {} is {}, expected a finite number; the "
            "vectors hold numbers too large to be compared in float32",
            display_path(name), bad, query, display_path((others ? *others : *database).name()), scores[bad]));
      consume(first + i, ScoredRanking(scores, counter));
    }
  });
}

Rankings::Rankings(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Rankings::~Rankings() = default;
Rankings::Rankings(Rankings&&) noexcept = default;
Rankings& Rankings::operator=(Rankings&&) noexcept = default;

Rankings Rankings::open(const RankingSource& source) {
  auto impl = std::make_unique<Impl>();
  impl->name = source.name;
  if (Collection::is_name_of_one(source.name)) {
    impl->open_collections(source);
  } else {
    if (source.queries || source.metric || source.improve.any())
      throw UsageError(
          fmt::format("{} is a run, which holds its queries and scores; --queries, --metric, --center, --whiten and "
                      "--expand go with a set (NAME, NAME.npy) or an index (NAME.cbir)",
                      display_path(source.name)));
    impl->read_run();
  }
  return Rankings(std::move(impl));
}

const std::string& Rankings::name() const noexcept { return impl_->name; }
bool Rankings::is_run() const noexcept { return !impl_->database; }
bool Rankings::queries_itself() const noexcept { return impl_->database && !impl_->others; }
const std::vector<std::string>& Rankings::items() const noexcept { return impl_->items; }
const std::vector<std::string>& Rankings::queries() const noexcept {
  return queries_itself() ? impl_->items : impl_->queries;
}
std::string Rankings::query_picture(std::size_t query) const {
  return is_run() ? "" : (impl_->others ? *impl_->others : *impl_->database).picture_path(query);
}
std::uint64_t Rankings::doubles() const noexcept { return impl_->doubles; }

void Rankings::each(std::span<const std::size_t> chosen,
                    const std::function<void(std::size_t, const QueryRanking&)>& consume) const {
  if (is_run()) impl_->each_of_run(chosen, consume);
  else impl_->each_of_collection(chosen, consume);
}

}  // namespace cbir
