#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/ivf.hpp"
#include "lib/index/ivf_coarse.hpp"
#include "lib/index/masked_scan.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kQueries = 512;        // searched together by one thread, at most
constexpr std::size_t kCoarseQueries = 32;   // compared with all centroids at a time
constexpr std::uint64_t kCodesPay = 64;      // queries, from which on codes of centroids have paid for their making
constexpr std::size_t kListsPerProbe = 4;    // so many lists each that is looked into, or they are not coded
constexpr std::size_t kPassingPerSlot = 32;  // so few passing rows for each candidate are scored exactly

/// Queries that one thread takes.
std::size_t grain(std::size_t queries) {
  return std::clamp<std::size_t>((queries + worker_threads() - 1) / worker_threads(), 1, kQueries);
}

}  // namespace

/// A list that a query looks into.
struct IvfStructure::Visit {
  std::uint32_t list = 0, query = 0;
  std::int32_t bias = 0;
};

struct IvfStructure::Prepared : PreparedQueries {
  void reset(std::size_t count, std::size_t lists, std::size_t bytes) {
    probe = lists;
    table_bytes = bytes;
    queries.resize(count);
    visits.resize(count * lists);
    if (const std::size_t floats = count * bytes / sizeof(float); table_floats < floats)
      tables = AlignedFloats(table_floats = floats);
  }
  std::uint8_t* table(std::size_t q) { return reinterpret_cast<std::uint8_t*>(tables.data()) + q * table_bytes; }
  void finish(MatrixView<const float> asking, std::span<TopK> best, SearchCounts& counts) override;
  std::uint32_t add_part(const IvfStructure& structure, MatrixView<const float> asking, std::span<TopK> best,
                         SearchCounts& counts);

  std::size_t probe = 0;  ///< lists a query
  std::size_t table_bytes = 0, table_floats = 0;
  AlignedFloats tables{0};
  std::vector<Pq4Tables> queries;  ///< refer to `tables`
  std::vector<Visit> visits;       ///< `probe` a query, nearest first

  /// A segment that was searched; its positions in the reservoirs begin at `base`.
  struct Part {
    std::uint32_t base;
    const IvfStructure* structure;
  };
  std::vector<Part> parts;
  std::uint64_t positions = 0;  ///< of all parts
  std::vector<Reservoir> reservoirs;
  std::size_t candidates = 0;
};

/// How far the search of a segment goes.
struct IvfStructure::Plan {
  std::size_t candidates;
  const RowMask* mask;     ///< none: every row may be returned
  std::uint32_t base = 0;  ///< of the segment's positions in the reservoirs
};

struct IvfStructure::Workspace {
  Prepared prepared;
  std::vector<float> coarse, query, scores;
  IvfCoarse::Scratch first_look;
  std::vector<std::uint32_t> lists;
  Pq4Scratch scratch;
  Reservoir nearest;
  std::vector<Reservoir> reservoirs;
  std::vector<Visit> by_list;
  std::vector<std::size_t> begins;
  std::vector<Pq4Scan> scans;
  std::vector<std::uint32_t> rows;
};

/// One for all indexes, since many segments would have as many.
WorkspacePool<IvfStructure::Workspace>& IvfStructure::workspaces() {
  static WorkspacePool<Workspace> pool([] { return std::make_unique<Workspace>(); });
  return pool;
}

/// Works out lists and tables of a block of queries, by one thread.
class IvfStructure::Preparation {
 public:
  /// `first_look`: none while it does not pay.
  Preparation(const IvfModel& model, const IvfCoarse* first_look, MatrixView<const float> queries, Prepared& out,
              Workspace& room)
      : model_(model), first_look_(first_look), queries_(queries), out_(out), room_(room) {}

  void run(std::size_t begin, std::size_t end) {
    if (first_look_ != nullptr) {
      for (std::size_t q = begin; q < end; ++q) look_twice(q);
      return;
    }
    for (std::size_t first = begin; first < end; first += kCoarseQueries)
      choose_lists(first, std::min(end, first + kCoarseQueries));
  }

 private:
  /// The nearest lists of queries [begin, end), nearest first, and their tables.
  void choose_lists(std::size_t begin, std::size_t end) {
    const std::size_t lists = model_.lists();
    room_.coarse.resize(std::max(room_.coarse.size(), kCoarseQueries * lists));
    const MatrixView<float> scores(room_.coarse.data(), end - begin, lists);
    score_all_pairs(model_.metric, slice(queries_, begin, end), model_.centroids, scores);
    for (std::size_t q = begin; q < end; ++q) {
      select_best(scores.row(q - begin), out_.probe, room_.nearest);
      make_query(q, scores.row(q - begin).data());
    }
  }

  /// The same of one query, by way of the lists that codes leave.
  void look_twice(std::size_t q) {
    first_look_->select(queries_.row(q), out_.probe, room_.first_look, room_.lists);
    room_.scores.resize(room_.lists.size());
    score_rows(model_.metric, queries_.row(q), model_.centroids, room_.lists, room_.scores.data());
    select_best(room_.scores, out_.probe, room_.nearest);
    room_.coarse.resize(std::max(room_.coarse.size(), kCoarseQueries * model_.lists()));
    for (std::uint64_t& entry : room_.nearest.entries()) {
      const std::uint32_t at = Reservoir::position(entry);
      entry = Reservoir::entry(Reservoir::score(entry), room_.lists[at]);
      room_.coarse[room_.lists[at]] = room_.scores[at];
    }
    make_query(q, room_.coarse.data());
  }

  /// Tables of the query, and its visits. Scores that are infinite or NaN, of damaged centroids, are any number.
  void make_query(std::size_t q, const float* of_lists) {
    const std::span<std::uint64_t> chosen = room_.nearest.entries();
    std::sort(chosen.begin(), chosen.end(), std::greater<>());
    const auto score = [&](std::uint64_t entry) { return static_cast<double>(of_lists[Reservoir::position(entry)]); };
    const double largest = score(chosen.front());
    room_.query.resize(model_.dim());
    const float twice = model_.metric == Metric::l2 ? 2.0F : 1.0F;
    for (std::size_t d = 0; d < model_.dim(); ++d) room_.query[d] = twice * (queries_.row(q)[d] - model_.mean[d]);
    out_.queries[q].bytes = out_.table(q);
    make_tables(model_.shape, model_.codebooks, room_.query.data(), static_cast<double>(model_.factor_range),
                largest - score(chosen.back()), room_.scratch, out_.queries[q]);
    for (std::size_t i = 0; i < out_.probe; ++i)
      out_.visits[q * out_.probe + i] = {.list = Reservoir::position(chosen[i]),
                                         .query = static_cast<std::uint32_t>(q),
                                         .bias = out_.queries[q].bias(largest - score(chosen[i]))};
  }

  const IvfModel& model_;
  const IvfCoarse* first_look_;
  MatrixView<const float> queries_;
  Prepared& out_;
  Workspace& room_;
};

/// The search of a segment for queries [begin, end), by one thread.
class IvfStructure::Block {
 public:
  Block(const IvfStructure& index, const Plan& plan, const Prepared& prepared, MatrixView<const float> queries,
        std::size_t begin, std::size_t end, std::span<Reservoir> reservoirs, Workspace& room)
      : index_(index),
        plan_(plan),
        prepared_(prepared),
        queries_(queries),
        begin_(begin),
        end_(end),
        reservoirs_(reservoirs),
        room_(room) {}

  /// Fills the reservoirs, one a query from `begin` on. The nearest lists come first: they raise the thresholds, unless
  /// those are there from other segments.
  void fill() {
    const std::size_t first = plan_.base == 0 ? 1 : prepared_.probe;
    scan(0, first);
    scan(first, prepared_.probe);
  }

  /// Scores what is in the reservoirs.
  void rerank(std::span<TopK> best) {
    for (std::size_t q = begin_; q < end_; ++q) rerank(q, best[q]);
  }

  const SearchCounts& counts() const { return counts_; }

 private:
  Reservoir& reservoir(std::size_t q) { return reservoirs_[q - begin_]; }

  /// Scans, for each query, its nearest lists from `from` to before `to`. Queries that look into the same list do so
  /// together, so that its codes are read once.
  void scan(std::size_t from, std::size_t to) {
    if (from >= to) return;
    const auto each = [&](const auto& use) {
      for (std::size_t q = begin_; q < end_; ++q)
        for (std::size_t i = from; i < to; ++i) use(prepared_.visits[q * prepared_.probe + i]);
    };
    if (end_ - begin_ == 1) {
      each([&](const Visit& visit) { scan_list({&visit, 1}); });
      return;
    }
    // Counting sort by list.
    room_.begins.assign(index_.model_.lists() + 1, 0);
    each([&](const Visit& visit) { ++room_.begins[visit.list + 1]; });
    for (std::size_t l = 0; l < index_.model_.lists(); ++l) room_.begins[l + 1] += room_.begins[l];
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
      const Pq4Tables& tables = prepared_.queries[visit.query];
      room_.scans.push_back({.tables = tables.bytes,
                             .factor_scale = tables.factor_scale,
                             .bias = visit.bias,
                             .out = &reservoir(visit.query)});
    }
    pq4_scan(index_.codes_, index_.model_.shape.lines(), begin, end, room_.scans,
             {.mask = plan_.mask, .rows = index_.list_rows_.data(), .base = plan_.base});
    counts_.compared += visits.size() * (end - begin);
  }

  void rerank(std::size_t q, TopK& best) {
    Reservoir& found = reservoir(q);
    found.select();
    room_.rows.clear();
    for (const std::uint64_t entry : found.entries())
      room_.rows.push_back(index_.list_rows_[Reservoir::position(entry)]);
    index_.score(queries_.row(q), room_, best);
    counts_.scored += room_.rows.size();
  }

  const IvfStructure& index_;
  const Plan& plan_;
  const Prepared& prepared_;
  MatrixView<const float> queries_;
  std::size_t begin_, end_;
  std::span<Reservoir> reservoirs_;
  Workspace& room_;
  SearchCounts counts_;
};

/// Calls search(begin, end, workspace) for blocks of queries on all threads, and sums what it did.
template <typename Search>
void IvfStructure::each_block(std::size_t queries, SearchCounts& counts, const Search& search) {
  std::mutex mutex;
  parallel_blocks(queries, grain(queries), [&](std::size_t begin, std::size_t end) {
    workspaces().with([&](Workspace& room) {
      const SearchCounts done = search(begin, end, room);
      const std::lock_guard lock(mutex);
      counts += done;
    });
  });
}

std::unique_ptr<PreparedQueries> IvfStructure::prepare(MatrixView<const float> queries, const SearchEffort& effort,
                                                       const SearchScope& scope) const {
  auto out = std::make_unique<Prepared>();
  out->reset(queries.rows, probe(effort, scope.share), model_.shape.table_bytes());
  out->candidates = wanted(effort, scope.k, scope.growth);
  out->reservoirs.resize(queries.rows);
  for (Reservoir& reservoir : out->reservoirs) reservoir.reset(out->candidates);
  const IvfCoarse* const look = first_look(queries.rows, out->probe);
  parallel_blocks(queries.rows, grain(queries.rows), [&](std::size_t begin, std::size_t end) {
    workspaces().with([&](Workspace& room) { Preparation(model_, look, queries, *out, room).run(begin, end); });
  });
  return out;
}

/// Made when it begins to pay; which lists are found does not depend on it.
const IvfCoarse* IvfStructure::first_look(std::size_t queries, std::size_t probe) const {
  if (probe * kListsPerProbe > model_.lists()) return nullptr;  // it would leave most
  if (asked_.fetch_add(queries) + queries < kCodesPay) return nullptr;
  std::call_once(looked_, [&] { first_look_ = std::make_unique<IvfCoarse>(model_); });
  return first_look_.get();
}

std::size_t IvfStructure::probe(const SearchEffort& effort, double share) const {
  // The best of fewer rows are further away, and spread over more lists.
  const double wanted =
      std::ceil(static_cast<double>(effort.probe != 0 ? effort.probe : probe_) / std::sqrt(std::max(share, 1e-12)));
  return static_cast<std::size_t>(std::clamp(wanted, 1.0, static_cast<double>(model_.lists())));
}

/// Candidates of a query for its k best.
std::size_t IvfStructure::wanted(const SearchEffort& effort, std::size_t k, double growth) const {
  return std::max(k, effort.candidates != 0 ? effort.candidates : grown(candidates_, growth));
}

IvfStructure::Plan IvfStructure::plan(const SearchEffort& effort, const RowMask& mask, std::size_t k) const {
  return {.candidates = std::min(wanted(effort, k), std::max(k, segment_.size())),
          .mask = mask.every() ? nullptr : &mask};
}

bool IvfStructure::few_pass(const Plan& plan) const {
  return plan.mask != nullptr && plan.mask->passing <= kPassingPerSlot * plan.candidates;
}

void IvfStructure::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                          std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || mask.passing == 0 || best.front().capacity() == 0) return;
  const Plan plan = this->plan(effort, mask, best.front().capacity());
  if (few_pass(plan)) return scan_passing(segment_, model_.metric, queries, mask, best, counts);
  const std::size_t lists = probe(effort, static_cast<double>(mask.passing) / static_cast<double>(segment_.size()));
  const IvfCoarse* const look = first_look(queries.rows, lists);
  each_block(queries.rows, counts, [&](std::size_t begin, std::size_t end, Workspace& room) {
    const MatrixView<const float> part = slice(queries, begin, end);
    room.prepared.reset(part.rows, lists, model_.shape.table_bytes());
    Preparation(model_, look, part, room.prepared, room).run(0, part.rows);
    if (room.reservoirs.size() < part.rows) room.reservoirs.resize(part.rows);
    for (std::size_t q = 0; q < part.rows; ++q) room.reservoirs[q].reset(plan.candidates);
    Block block(*this, plan, room.prepared, part, 0, part.rows, room.reservoirs, room);
    block.fill();
    block.rerank(best.subspan(begin, part.rows));
    return block.counts();
  });
}

void IvfStructure::search_prepared(PreparedQueries& prepared, MatrixView<const float> queries,
                                   const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
                                   SearchCounts& counts) const {
  if (queries.rows == 0 || mask.passing == 0 || best.front().capacity() == 0) return;
  Plan plan = this->plan(effort, mask, best.front().capacity());
  if (few_pass(plan)) return scan_passing(segment_, model_.metric, queries, mask, best, counts);
  auto* const mine = dynamic_cast<Prepared*>(&prepared);
  if (mine == nullptr) throw Error(ExitCode::internal, "queries that were prepared for another type of index");
  plan.base = mine->add_part(*this, queries, best, counts);
  each_block(queries.rows, counts, [&](std::size_t begin, std::size_t end, Workspace& room) {
    Block block(*this, plan, *mine, queries, begin, end, std::span(mine->reservoirs).subspan(begin), room);
    block.fill();
    return block.counts();
  });
}

/// Where the positions of one more segment begin. If they would be too many to be told apart, those before are done
/// with first.
std::uint32_t IvfStructure::Prepared::add_part(const IvfStructure& structure, MatrixView<const float> asking,
                                               std::span<TopK> best, SearchCounts& counts) {
  const std::uint64_t rows = structure.segment_.size();
  if (positions + rows > std::numeric_limits<std::uint32_t>::max()) finish(asking, best, counts);
  parts.push_back({static_cast<std::uint32_t>(positions), &structure});
  positions += rows;
  return parts.back().base;
}

void IvfStructure::Prepared::finish(MatrixView<const float> asking, std::span<TopK> best, SearchCounts& counts) {
  if (parts.empty()) return;
  each_block(asking.rows, counts, [&](std::size_t begin, std::size_t end, Workspace& room) {
    SearchCounts done;
    for (std::size_t q = begin; q < end; ++q) {
      Reservoir& found = reservoirs[q];
      found.select();
      std::ranges::sort(found.entries(), {}, Reservoir::position);  // so that each part's lie together
      auto entry = found.entries().begin();
      for (std::size_t p = 0; p < parts.size() && entry != found.entries().end(); ++p) {
        const IvfStructure& part = *parts[p].structure;
        const std::uint64_t end_position = std::uint64_t{parts[p].base} + part.segment_.size();
        room.rows.clear();
        for (; entry != found.entries().end() && Reservoir::position(*entry) < end_position; ++entry)
          room.rows.push_back(part.list_rows_[Reservoir::position(*entry) - parts[p].base]);
        part.score(asking.row(q), room, best[q]);
        done.scored += room.rows.size();
      }
      found.reset(candidates);
    }
    return done;
  });
  parts.clear();
  positions = 0;
}

/// Scores the rows that the workspace holds.
void IvfStructure::score(std::span<const float> query, Workspace& room, TopK& best) const {
  if (room.rows.empty()) return;
  room.scores.resize(room.rows.size());
  score_rows(model_.metric, query, segment_.vectors, room.rows, room.scores.data());
  for (std::size_t i = 0; i < room.rows.size(); ++i)
    best.offer(&room.scores[i], 1, segment_.first_position + room.rows[i]);
}

}  // namespace cbir
