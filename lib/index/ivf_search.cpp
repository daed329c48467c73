#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/ivf.hpp"
#include "lib/index/masked_scan.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kQueries = 512;        // searched together by one thread, at most
constexpr std::size_t kCoarseQueries = 32;   // compared with all centroids at a time
constexpr std::size_t kPassingPerSlot = 32;  // so few passing rows for each candidate are scored exactly

/// A float as an integer of the same order, and back: an involution.
std::int32_t ordered(std::int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }
std::int32_t to_ordered(float x) { return ordered(std::bit_cast<std::int32_t>(x)); }
float from_ordered(std::int32_t x) { return std::bit_cast<float>(ordered(x)); }

/// A list that a query looks into.
struct Visit {
  std::uint32_t list = 0, query = 0;
  std::int32_t bias = 0;
};

}  // namespace

/// How far a search goes.
struct IvfStructure::Plan {
  std::size_t probe, candidates;
  const RowMask* mask;  ///< none: every row may be returned
};

struct IvfStructure::Workspace {
  AlignedFloats tables{0};
  std::size_t table_floats = 0;
  std::vector<float> coarse, query, scores;
  Pq4Scratch scratch;
  Reservoir nearest;
  std::vector<Reservoir> reservoirs;
  std::vector<Pq4Tables> queries;
  std::vector<Visit> visits, by_list;
  std::vector<std::size_t> begins;
  std::vector<Pq4Scan> scans;
  std::vector<std::uint32_t> rows;

  std::uint8_t* table_memory(std::size_t bytes) {
    const std::size_t floats = bytes / sizeof(float);
    if (table_floats < floats) tables = AlignedFloats(table_floats = floats);
    return reinterpret_cast<std::uint8_t*>(tables.data());
  }
};

/// The search of one block of queries, by one thread.
class IvfStructure::Block {
 public:
  Block(const IvfStructure& index, const Plan& plan, MatrixView<const float> queries, std::span<TopK> best,
        Workspace& room)
      : index_(index), model_(index.model_), plan_(plan), queries_(queries), best_(best), room_(room) {}

  SearchCounts run() {
    room_.visits.resize(queries_.rows * plan_.probe);
    room_.queries.resize(queries_.rows);
    if (room_.reservoirs.size() < queries_.rows) room_.reservoirs.resize(queries_.rows);
    std::uint8_t* tables = room_.table_memory(queries_.rows * model_.shape.table_bytes());
    for (std::size_t q = 0; q < queries_.rows; ++q) {
      room_.queries[q].bytes = tables + q * model_.shape.table_bytes();
      room_.reservoirs[q].reset(plan_.candidates);
    }
    for (std::size_t first = 0; first < queries_.rows; first += kCoarseQueries)
      choose_lists(first, std::min(queries_.rows, first + kCoarseQueries));
    // The nearest lists first: they raise the thresholds.
    scan(0, 1);
    scan(1, plan_.probe);
    for (std::size_t q = 0; q < queries_.rows; ++q) rerank(q);
    return counts_;
  }

 private:
  /// The nearest lists of queries [begin, end), nearest first, and their tables.
  void choose_lists(std::size_t begin, std::size_t end) {
    const std::size_t lists = model_.lists();
    room_.coarse.resize(std::max(room_.coarse.size(), kCoarseQueries * lists));
    const MatrixView<float> scores(room_.coarse.data(), end - begin, lists);
    score_all_pairs(model_.metric, slice(queries_, begin, end), model_.centroids, scores);
    for (std::size_t q = begin; q < end; ++q) {
      const float* of_lists = scores.row(q - begin).data();
      Reservoir& nearest = room_.nearest;
      nearest.reset(plan_.probe);
      for (std::size_t i = 0; i < lists; ++i) {
        const bool any = nearest.threshold() == std::numeric_limits<std::int32_t>::min();
        if (!any) i = first_at_least(of_lists, i, lists, from_ordered(nearest.threshold()));
        if (i == lists) break;
        nearest.add(to_ordered(of_lists[i]), static_cast<std::uint32_t>(i));
        nearest.make_room();
      }
      nearest.select();
      const std::span<std::uint64_t> chosen = nearest.entries();
      std::sort(chosen.begin(), chosen.end(), std::greater<>());
      make_query(q, chosen, of_lists);
    }
  }

  /// Tables of the query, and its visits. Scores that are infinite or NaN, of damaged centroids, are any number.
  void make_query(std::size_t q, std::span<const std::uint64_t> chosen, const float* of_lists) {
    const auto score = [&](std::uint64_t entry) { return static_cast<double>(of_lists[Reservoir::position(entry)]); };
    const double largest = score(chosen.front());
    room_.query.resize(model_.dim());
    const float twice = model_.metric == Metric::l2 ? 2.0F : 1.0F;
    for (std::size_t d = 0; d < model_.dim(); ++d) room_.query[d] = twice * (queries_.row(q)[d] - model_.mean[d]);
    make_tables(model_.shape, model_.codebooks, room_.query.data(), static_cast<double>(model_.factor_range),
                largest - score(chosen.back()), room_.scratch, room_.queries[q]);
    for (std::size_t i = 0; i < plan_.probe; ++i) {
      Visit& visit = room_.visits[q * plan_.probe + i];
      visit = {.list = Reservoir::position(chosen[i]),
               .query = static_cast<std::uint32_t>(q),
               .bias = room_.queries[q].bias(largest - score(chosen[i]))};
    }
  }

  /// Scans, for each query, its nearest lists from `begin` to before `end`. Queries that look into the same list do so
  /// together, so that its codes are read once.
  void scan(std::size_t begin, std::size_t end) {
    if (begin >= end) return;
    if (queries_.rows == 1) {
      for (std::size_t i = begin; i < end; ++i) scan_list({&room_.visits[i], 1});
      return;
    }
    // Counting sort by list.
    room_.begins.assign(model_.lists() + 1, 0);
    const auto each = [&](const auto& use) {
      for (std::size_t q = 0; q < queries_.rows; ++q)
        for (std::size_t i = begin; i < end; ++i) use(room_.visits[q * plan_.probe + i]);
    };
    each([&](const Visit& visit) { ++room_.begins[visit.list + 1]; });
    for (std::size_t l = 0; l < model_.lists(); ++l) room_.begins[l + 1] += room_.begins[l];
    room_.by_list.resize(room_.begins.back());
    each([&](const Visit& visit) { room_.by_list[room_.begins[visit.list]++] = visit; });
    // Now begins[l] is where list l ends.
    for (std::size_t i = 0; i < room_.by_list.size();) {
      const std::size_t next = room_.begins[room_.by_list[i].list];
      scan_list({room_.by_list.data() + i, next - i});
      i = next;
    }
  }

  void scan_list(std::span<const Visit> visits) {
    const std::size_t list = visits.front().list;
    const std::size_t begin = index_.list_offsets_[list], end = index_.list_offsets_[list + 1];
    if (begin == end) return;
    room_.scans.clear();
    for (const Visit& visit : visits) {
      const Pq4Tables& tables = room_.queries[visit.query];
      room_.scans.push_back({.tables = tables.bytes,
                             .factor_scale = tables.factor_scale,
                             .bias = visit.bias,
                             .out = &room_.reservoirs[visit.query]});
    }
    pq4_scan(index_.codes_, model_.shape.lines(), begin, end, room_.scans,
             {.mask = plan_.mask, .rows = index_.list_rows_.data()});
    counts_.compared += visits.size() * (end - begin);
  }

  void rerank(std::size_t q) {
    Reservoir& reservoir = room_.reservoirs[q];
    reservoir.select();
    room_.rows.clear();
    for (const std::uint64_t entry : reservoir.entries())
      room_.rows.push_back(index_.list_rows_[Reservoir::position(entry)]);
    room_.scores.resize(room_.rows.size());
    score_rows(model_.metric, queries_.row(q), index_.segment_.vectors, room_.rows, room_.scores.data());
    for (std::size_t i = 0; i < room_.rows.size(); ++i)
      best_[q].offer(&room_.scores[i], 1, index_.segment_.first_position + room_.rows[i]);
    counts_.scored += room_.rows.size();
  }

  const IvfStructure& index_;
  const IvfModel& model_;
  const Plan& plan_;
  MatrixView<const float> queries_;
  std::span<TopK> best_;
  Workspace& room_;
  SearchCounts counts_;
};

void IvfStructure::prepare_workspaces() {
  workspaces_ = std::make_shared<WorkspacePool<Workspace>>([] { return std::make_unique<Workspace>(); });
}

void IvfStructure::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                          std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || mask.passing == 0 || best.front().capacity() == 0) return;
  Plan plan{.probe = effort.probe != 0 ? effort.probe : probe_,
            .candidates = effort.candidates != 0 ? effort.candidates : candidates_,
            .mask = mask.every() ? nullptr : &mask};
  plan.candidates =
      std::clamp(plan.candidates, best.front().capacity(), std::max(best.front().capacity(), segment_.size()));
  if (plan.mask != nullptr) {
    if (mask.passing <= kPassingPerSlot * plan.candidates)
      return scan_passing(segment_, model_.metric, queries, mask, best, counts);
    // The best of fewer rows are further away, and spread over more lists.
    const double share = static_cast<double>(mask.passing) / static_cast<double>(segment_.size());
    plan.probe = static_cast<std::size_t>(std::ceil(static_cast<double>(plan.probe) / std::sqrt(share)));
  }
  plan.probe = std::clamp<std::size_t>(plan.probe, 1, model_.lists());
  const std::size_t share = (queries.rows + worker_threads() - 1) / worker_threads();
  std::mutex mutex;
  parallel_blocks(queries.rows, std::clamp<std::size_t>(share, 1, kQueries), [&](std::size_t begin, std::size_t end) {
    workspaces_->with([&](Workspace& room) {
      const SearchCounts done =
          Block(*this, plan, slice(queries, begin, end), best.subspan(begin, end - begin), room).run();
      const std::lock_guard lock(mutex);
      counts += done;
    });
  });
}

}  // namespace cbir
