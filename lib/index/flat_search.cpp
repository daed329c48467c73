#include "lib/index/flat_search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include <cbir/base/workspaces.hpp>
#include "lib/index/int8.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kFirstPanels = 8;         // scored exactly for a first threshold
constexpr std::size_t kFirstShare = 4;          // and at least so many times k rows
constexpr std::size_t kGrowth = 4;              // a step reaches so many times the rows before it
constexpr std::size_t kStepPairs = 1 << 24;     // of queries and rows, in one step
constexpr std::size_t kDenseShare = 8;          // above pairs / this the first pass does not pay
constexpr std::size_t kTaskBytes = 64 << 10;    // of codes that a thread takes at a time,
constexpr std::size_t kTaskPanels = 4;          // but at least so many panels
constexpr std::size_t kWorthThreads = 1 << 20;  // products of codes
constexpr std::size_t kScoreRows = 4096;        // that a thread scores at a time
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float above(double x) { return std::nextafter(static_cast<float>(x), kInfinity); }
float below(double x) { return std::nextafter(static_cast<float>(x), -kInfinity); }

/// NaN, which only a damaged vector gives, ranks last.
void offer(TopK& best, std::uint64_t id, float score) {
  if (std::isnan(score)) score = -kInfinity;
  if (score >= best.threshold()) best.offer({id, score});
}

class CodeSearch {
 public:
  CodeSearch(const CodePanels& panels, const Segment& segment, Metric metric, MatrixView<const float> queries,
             BoundedQueries& bounded, const RowMask& mask, std::span<TopK> best, SearchCounts& counts)
      : panels_(panels),
        segment_(segment),
        metric_(metric),
        queries_(queries),
        mask_(mask),
        best_(best),
        counts_(counts),
        bounded_(bounded) {}

  void run() {
    const bool known = all_full(best_);  // thresholds are
    const std::size_t first = known ? 0 : order_panels();
    if (known) order_segment();
    score_panels(std::span(order_).first(first));
    const std::size_t most = std::max<std::size_t>(1, kStepPairs / kPanelRows / queries_.rows);
    bool dense = false;
    for (std::size_t done = first, end = 0; done < order_.size(); done = end) {
      const std::size_t step_size = known ? most : std::min(most, std::max<std::size_t>(1, done * (kGrowth - 1)));
      end = std::min(order_.size(), done + step_size);
      const auto step = std::span(order_).subspan(done, end - done);
      // Every step is spread over the segment: what one finds too dense will be so in the next.
      dense = dense || !scan_panels(step);
      if (dense) score_panels(step);
    }
  }

 private:
  std::size_t order_panels();
  void order_segment();
  std::uint32_t rows_of(std::size_t panel) const;
  void score_panels(std::span<const std::uint32_t> panels);
  bool scan_panels(std::span<const std::uint32_t> panels);
  void score_found(const std::vector<std::vector<Passing>>& found);

  const CodePanels& panels_;
  const Segment& segment_;
  const Metric metric_;
  const MatrixView<const float> queries_;
  const RowMask& mask_;
  const std::span<TopK> best_;
  SearchCounts& counts_;
  BoundedQueries& bounded_;
  std::vector<std::uint32_t> order_;
};

/// Panels that have rows to return, in levels of which each is spread over the whole segment: whatever order the rows
/// came in, thresholds rise soon. Returns how many form the first level.
std::size_t CodeSearch::order_panels() {
  const std::size_t all = (segment_.size() + kPanelRows - 1) / kPanelRows;
  const std::size_t k = best_.front().capacity();
  const std::size_t wanted = kFirstShare * k * (segment_.size() / std::max<std::size_t>(1, mask_.passing) + 1);
  std::size_t stride = 1;
  while (all / (stride * kGrowth) >= std::max(kFirstPanels, wanted / kPanelRows)) stride *= kGrowth;
  order_.reserve(all);
  const auto take = [&](std::size_t panel) {
    if (rows_of(panel) != 0) order_.push_back(static_cast<std::uint32_t>(panel));
  };
  for (std::size_t panel = 0; panel < all; panel += stride) take(panel);
  const std::size_t first = order_.size();
  for (stride /= kGrowth; stride > 0; stride /= kGrowth)
    for (std::size_t i = 0; i * stride < all; ++i)
      if (i % kGrowth != 0) take(i * stride);
  return first;
}

/// All panels that have rows to return, as they lie.
void CodeSearch::order_segment() {
  const std::size_t all = (segment_.size() + kPanelRows - 1) / kPanelRows;
  order_.reserve(all);
  for (std::size_t panel = 0; panel < all; ++panel)
    if (rows_of(panel) != 0) order_.push_back(static_cast<std::uint32_t>(panel));
}

/// The rows of a panel that may be returned, a bit each.
std::uint32_t CodeSearch::rows_of(std::size_t panel) const {
  const std::size_t first = panel * kPanelRows, left = segment_.size() - first;
  const std::uint32_t there = left >= kPanelRows ? ~std::uint32_t{0} : (std::uint32_t{1} << left) - 1;
  if (mask_.every()) return there;
  return there & static_cast<std::uint32_t>(mask_.words[first / 64] >> (first % 64));
}

/// Scores all rows of the panels exactly.
void CodeSearch::score_panels(std::span<const std::uint32_t> panels) {
  struct Scratch {
    std::vector<TopK> best;
    std::vector<float> scores;
  };
  WorkspacePool<Scratch> pool([&] {
    return std::make_unique<Scratch>(Scratch{std::vector<TopK>(queries_.rows, TopK(best_.front().capacity())),
                                             std::vector<float>(queries_.rows * kPanelRows)});
  });
  parallel_blocks(panels.size(), kTaskPanels, [&](std::size_t begin, std::size_t end) {
    pool.with([&](Scratch& scratch) {
      for (const std::uint32_t panel : panels.subspan(begin, end - begin)) {
        const std::size_t first = std::size_t{panel} * kPanelRows, last = std::min(segment_.size(), first + kPanelRows);
        const MatrixView<float> scores(scratch.scores.data(), queries_.rows, last - first);
        score_all_pairs(metric_, queries_, slice(segment_.vectors, first, last), scores);
        for (std::size_t q = 0; q < queries_.rows; ++q)
          scratch.best[q].offer(scores.row(q).data(), last - first, segment_.first_position + first, mask_, first);
      }
    });
  });
  for (const auto& scratch : pool.all())
    for (std::size_t q = 0; q < queries_.rows; ++q)
      for (const Hit& hit : scratch->best[q].hits()) best_[q].offer(hit);
  counts_.scored += panels.size() * kPanelRows * queries_.rows;
}

/// False, and nothing done, if the first pass leaves so many rows that scoring all of them is quicker.
bool CodeSearch::scan_panels(std::span<const std::uint32_t> panels) {
  for (std::size_t q = 0; q < queries_.rows; ++q) bounded_.set_threshold(q, static_cast<double>(best_[q].threshold()));
  std::size_t task = std::max(kTaskPanels, kTaskBytes / (panels_.dim * kPanelRows));
  // What takes a thread as long as waking another one is for one thread.
  if (panels.size() * kPanelRows * panels_.dim * queries_.rows <= kWorthThreads) task = panels.size();
  std::vector<std::vector<Passing>> found((panels.size() + task - 1) / task);
  parallel_blocks(panels.size(), task, [&](std::size_t begin, std::size_t end) {
    find_passing(panels_, panels.subspan(begin, end - begin), bounded_.coded(), found[begin / task]);
  });
  const std::size_t pairs = panels.size() * kPanelRows * queries_.rows;
  counts_.compared += pairs;
  std::size_t rows = 0;
  for (auto& of_task : found) {
    for (Passing& passing : of_task) {
      passing.rows &= rows_of(passing.panel);
      rows += static_cast<std::size_t>(std::popcount(passing.rows));
    }
  }
  if (rows > pairs / kDenseShare) return false;
  score_found(found);
  counts_.scored += rows;
  return true;
}

/// Scores what the first pass left: rows are sorted by query, scored by equal parts, and offered by query.
void CodeSearch::score_found(const std::vector<std::vector<Passing>>& found) {
  std::vector<std::size_t> ends(queries_.rows + 1);
  for (const auto& of_task : found)
    for (const Passing& passing : of_task)
      ends[passing.query + 1] += static_cast<std::size_t>(std::popcount(passing.rows));
  for (std::size_t q = 0; q < queries_.rows; ++q) ends[q + 1] += ends[q];
  const std::vector<std::size_t> starts = ends;
  std::vector<std::uint32_t> rows(ends.back());
  std::vector<float> scores(ends.back());
  for (const auto& of_task : found)
    for (const Passing& passing : of_task)
      for (std::uint32_t left = passing.rows; left != 0; left &= left - 1)
        rows[ends[passing.query]++] =
            passing.panel * static_cast<std::uint32_t>(kPanelRows) + static_cast<std::uint32_t>(std::countr_zero(left));
  const std::size_t part = std::clamp<std::size_t>(rows.size() / (4 * worker_threads()) + 1, 16, kScoreRows);
  parallel_blocks(rows.size(), part, [&](std::size_t begin, std::size_t end) {
    auto q = static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), begin) - starts.begin()) - 1;
    for (; begin < end; ++q) {
      const std::size_t last = std::min(end, starts[q + 1]);
      score_rows(metric_, queries_.row(q), segment_.vectors, std::span(rows).subspan(begin, last - begin),
                 scores.data() + begin);
      begin = last;
    }
  });
  for (std::size_t q = 0; q < queries_.rows; ++q)
    for (std::size_t i = starts[q]; i < starts[q + 1]; ++i)
      offer(best_[q], segment_.first_position + rows[i], scores[i]);
}

}  // namespace

BoundedQueries::BoundedQueries(MatrixView<const float> queries, Metric metric)
    : coded_(queries.rows, queries.cols), raise_(queries.rows), slack_(queries.rows) {
  const double rounding = static_cast<double>(queries.cols / kVectorPadding + 32) * 0x1p-24;  // G
  const bool l2 = metric == Metric::l2;
  const float factor = l2 ? 2 : 1;
  std::vector<std::int8_t> codes(queries.cols);
  if (l2) coded_.square_weight = above(2 * rounding - 1);
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const Int8Row row = quantize_int8(queries.row(q), codes, largest_query_code(queries.row(q)));
    const double length = norm(queries.row(q));
    coded_.set_codes(q, codes);
    coded_.slope[q] = factor * row.scale;
    coded_.width[q] = factor * above(length * (1 + rounding));
    float& doubt = coded_.doubt[q / kTileQueries];
    doubt = std::max(doubt, above((length > 0 ? row.residual / length : 0) + rounding));
    raise_[q] = l2 ? (1 - 2 * rounding) * length * length : 0;
    slack_[q] = 0x1p-100 * (1 + length);
  }
}

void BoundedQueries::set_threshold(std::size_t query, double score) {
  coded_.threshold[query] = below(score + raise_[query] - slack_[query]);
}

void search_codes(const CodePanels& panels, const Segment& segment, Metric metric, MatrixView<const float> queries,
                  BoundedQueries& bounded, const RowMask& mask, std::span<TopK> best, SearchCounts& counts) {
  CodeSearch(panels, segment, metric, queries, bounded, mask, best, counts).run();
}

bool all_full(std::span<const TopK> best) {
  return std::ranges::all_of(best, [](const TopK& one) { return one.full(); });
}

void search_passing(const Segment& segment, Metric metric, MatrixView<const float> queries, const RowMask& mask,
                    std::span<TopK> best, SearchCounts& counts) {
  std::vector<std::uint32_t> rows;
  rows.reserve(mask.passing);
  for (std::size_t word = 0; word < mask.words.size(); ++word)
    for (std::uint64_t left = mask.words[word]; left != 0; left &= left - 1)
      rows.push_back(static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(left))));
  if (rows.empty()) return;
  // Blocks of queries and rows, so that one query uses all threads too.
  const std::size_t blocks = (rows.size() + kScoreRows - 1) / kScoreRows;
  std::vector<float> scores(rows.size() * std::min<std::size_t>(queries.rows, 16));
  for (std::size_t first = 0; first < queries.rows; first += 16) {
    const std::size_t count = std::min<std::size_t>(16, queries.rows - first);
    parallel_blocks(blocks * count, 1, [&](std::size_t task, std::size_t) {
      const std::size_t q = task / blocks, begin = task % blocks * kScoreRows;
      const std::size_t size = std::min(kScoreRows, rows.size() - begin);
      score_rows(metric, queries.row(first + q), segment.vectors, std::span(rows).subspan(begin, size),
                 scores.data() + q * rows.size() + begin);
    });
    parallel_blocks(count, 1, [&](std::size_t q, std::size_t) {
      for (std::size_t i = 0; i < rows.size(); ++i)
        offer(best[first + q], segment.first_position + rows[i], scores[q * rows.size() + i]);
    });
  }
  counts.scored += rows.size() * queries.rows;
}

}  // namespace cbir
