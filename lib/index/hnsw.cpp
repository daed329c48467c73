#include "lib/index/hnsw.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include <cbir/base/parallel.hpp>

#include "lib/index/flat.hpp"
#include "lib/index/hnsw_search.hpp"
#include "lib/index/int8.hpp"
#include "lib/index/means.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kTogether = 8;      // walks that a thread takes in turns
constexpr std::size_t kTaskQueries = 32;  // that a thread takes at a time
constexpr std::size_t kScanned = 1024;    // rows scored at a time where a filter passes few
constexpr std::uint64_t kMaxEf = 1 << 20;
// Of the error of an int8 score, in standard deviations; beyond, a row is not scored exactly.
constexpr float kMargin = 3;

/// A walk and its query.
struct Slot {
  GraphWalk walk;
  GraphQuery query;
  std::vector<float> vector;
  std::vector<std::int8_t> codes;
  float half_norm = 0;
  std::size_t number = 0;
};

}  // namespace

class GraphWorkspace {
 public:
  std::array<Slot, kTogether> slots;
  std::vector<std::uint32_t> rows;
  std::vector<float> scores;
  SearchCounts counts;
};

namespace {

/// One search: what is the same for all its queries.
class Search {
 public:
  Search(const Graph& graph, const Segment& segment, Metric metric, std::span<const float> mean,
         MatrixView<const float> queries, std::size_t ef, const RowMask& mask, std::span<TopK> best,
         std::span<const std::uint32_t> own)
      : graph_(graph),
        segment_(segment),
        metric_(metric),
        mean_(mean),
        queries_(queries),
        ef_(ef),
        mask_(mask),
        best_(best),
        own_(own) {}

  /// Queries [begin, end), several at a time: while memory is fetched for one, the next one computes.
  void run(std::size_t begin, std::size_t end, GraphWorkspace& workspace) {
    std::size_t next = begin, active = 0;
    const bool scan = !mask_.every() && mask_.passing <= ef_;
    if (scan) {
      for (; next < end; ++next) score_passing(next, workspace);
      return;
    }
    std::array<Slot*, kTogether> slots;
    for (; active < kTogether && next < end; ++active) start(*(slots[active] = &workspace.slots[active]), next++);
    while (active > 0) {
      for (std::size_t i = 0; i < active;) {
        if (slots[i]->walk.step()) {
          ++i;
          continue;
        }
        finish(*slots[i], workspace);
        if (next < end) start(*slots[i++], next++);
        else slots[i] = slots[--active];
      }
    }
  }

 private:
  void start(Slot& slot, std::size_t number) {
    const std::span<const float> query = queries_.row(number);
    slot.number = number;
    slot.vector.assign(query.begin(), query.end());
    // Taking off the mean changes no ranking by inner product, and would change the query.
    if (metric_ != Metric::dot)
      for (std::size_t i = 0; i < query.size(); ++i) slot.vector[i] -= mean_[i];
    slot.codes.assign(graph_.code_count(), 0);
    const Int8Row row = quantize_int8(slot.vector, std::span(slot.codes).first(query.size()));
    double square = 0;
    for (const float x : slot.vector) square += static_cast<double>(x) * static_cast<double>(x);
    slot.half_norm = static_cast<float>(square / 2);
    slot.query = {.codes = slot.codes, .scale = row.scale, .norm_weight = metric_ == Metric::dot ? 0.0F : 1.0F};
    // A walk that has compared more rows than pass would have been slower than scoring these.
    slot.walk.start(graph_, slot.query, ef_, mask_, mask_.every() ? graph_.rows() : mask_.passing, hidden(number));
  }

  /// The row that a query is, if it is to be left out; not one that stands for copies, which are others.
  std::uint32_t hidden(std::size_t number) const {
    return own_.empty() || graph_.next_copy(own_[number]) != 0 ? GraphWalk::kNoRow : own_[number];
  }

  void finish(Slot& slot, GraphWorkspace& workspace) {
    workspace.counts.compared += slot.walk.compared();
    if (slot.walk.gave_up()) return score_passing(slot.number, workspace);
    const std::span<const Scored> found = slot.walk.found();
    if (found.empty()) return;
    std::size_t count = found.size();
    TopK& best = best_[slot.number];
    if (count > best.capacity()) {
      const Scored& last = found[best.capacity() - 1];
      const float limit = last.score - 2 * kMargin * deviation(slot, graph_.tail(last.row));
      while (count > best.capacity() && found[count - 1].score < limit) --count;
    }
    workspace.rows.clear();
    for (const Scored& one : found.first(count)) add_copies(one.row, workspace.rows);
    score(slot.number, workspace);
  }

  /// Of a score by codes: products of rounded numbers, each of which is off by up to half a scale, evenly spread.
  static float deviation(const Slot& slot, const NodeTail& tail) {
    const float of_query = slot.query.scale * slot.query.scale * tail.half_norm;
    const float of_row = tail.scale * tail.scale * slot.half_norm;
    return std::sqrt((of_query + of_row) / 6);
  }

  /// A row and its copies, those that may be returned; no more copies than the walk would have found rows.
  void add_copies(std::uint32_t row, std::vector<std::uint32_t>& rows) const {
    std::size_t added = 0;
    do {
      if (!mask_[row]) continue;
      rows.push_back(row);
      if (++added == ef_) return;
    } while ((row = graph_.next_copy(row)) != 0);
  }

  void score(std::size_t number, GraphWorkspace& workspace) {
    workspace.scores.resize(workspace.rows.size());
    score_rows(metric_, queries_.row(number), segment_.vectors, workspace.rows, workspace.scores.data());
    for (std::size_t i = 0; i < workspace.rows.size(); ++i) {
      const float score = workspace.scores[i];
      best_[number].offer(Hit{segment_.first_position + workspace.rows[i],
                              std::isnan(score) ? -std::numeric_limits<float>::infinity() : score});
    }
    workspace.counts.scored += workspace.rows.size();
  }

  /// Every row that passes, exactly.
  void score_passing(std::size_t number, GraphWorkspace& workspace) {
    for (std::size_t begin = 0; begin < segment_.size();) {
      workspace.rows.clear();
      for (; begin < segment_.size() && workspace.rows.size() < kScanned; ++begin)
        if (mask_[begin]) workspace.rows.push_back(static_cast<std::uint32_t>(begin));
      score(number, workspace);
    }
  }

  const Graph& graph_;
  const Segment& segment_;
  Metric metric_;
  std::span<const float> mean_;
  MatrixView<const float> queries_;
  std::size_t ef_;
  const RowMask& mask_;
  std::span<TopK> best_;
  std::span<const std::uint32_t> own_;
};

}  // namespace

HnswStructure::HnswStructure(const Container& container, const IndexMeta& meta, const Segment& segment)
    : segment_(segment),
      metric_(meta.metric),
      ef_(std::min(meta.parameter("ef", container.name()), kMaxEf)),
      mean_(read_mean(container, meta.dim)),
      graph_(container, segment.number, segment.size(), meta.dim,
             std::min<std::uint64_t>(meta.parameter("links", container.name()), kMaxLinks)),
      workspaces_([] { return std::make_unique<GraphWorkspace>(); }) {}

HnswStructure::~HnswStructure() = default;

void HnswStructure::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                           std::span<TopK> best, SearchCounts& counts) const {
  search_without({}, queries, effort, mask, best, counts);
}

void HnswStructure::search_without(std::span<const std::uint32_t> own, MatrixView<const float> queries,
                                   const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
                                   SearchCounts& counts) const {
  if (queries.rows == 0 || best[0].capacity() == 0 || mask.passing == 0) return;
  const std::size_t wanted = effort.ef != 0 ? effort.ef : ef_;
  const std::size_t ef = std::clamp(wanted, std::min(best[0].capacity(), segment_.size()), segment_.size());
  Search search(graph_, segment_, metric_, mean_, queries, ef, mask, best, own);
  const std::size_t share = (queries.rows + worker_threads() - 1) / worker_threads();
  std::mutex mutex;
  parallel_blocks(queries.rows, std::min(kTaskQueries, share), [&](std::size_t begin, std::size_t end) {
    workspaces_.with([&](GraphWorkspace& workspace) {
      workspace.counts = {};
      search.run(begin, end, workspace);
      const std::lock_guard lock(mutex);
      counts += workspace.counts;
    });
  });
}

void HnswStructure::verify() const { graph_.verify(); }

std::unique_ptr<Structure> open_hnsw(const Container& container, const IndexMeta& meta, const Segment& segment) {
  const auto& sections = container.sections();
  const bool linked = std::any_of(sections.begin(), sections.end(), [&](const Section& section) {
    return section.segment == segment.number && section.kind == SectionKind::graph_nodes;
  });
  if (linked) return std::make_unique<HnswStructure>(container, meta, segment);
  return open_flat(container, meta, segment);
}

}  // namespace cbir
