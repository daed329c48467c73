#include "lib/dedup/pair_scan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/dedup/row_codes.hpp"
#include "lib/dedup/sketch.hpp"
#include "lib/index/code_panels.hpp"
#include "lib/index/flat_search.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockQueries = 256;      // that go through the first pass together, in one thread
constexpr std::size_t kChunkBytes = 256 << 10;  // of panels, or rows, that they meet at a time
constexpr std::size_t kSampleRows = 4096;       // that directions are learned from and costs are estimated by
constexpr std::size_t kSampleQueries = 256;
constexpr std::size_t kSketchSizes[] = {64, 128, 256};
// Costs, in products of codes of the first pass: what comes to each pair besides, and the whole codes of a pair that
// lie anywhere in memory.
constexpr double kPairCost = 48, kWholeCost = 16;

double longest(MatrixView<const float> rows) {
  double length = 0;
  for (std::size_t i = 0; i < rows.rows; ++i) length = std::max(length, norm(rows.row(i)));
  return length;
}

std::vector<std::uint32_t> numbers(std::size_t count) {
  std::vector<std::uint32_t> out(count);
  std::iota(out.begin(), out.end(), 0U);
  return out;
}

/// Rows spread over all of them.
AlignedFloats sample_of(MatrixView<const float> rows, std::size_t count) {
  AlignedFloats out(count * rows.cols);
  for (std::size_t i = 0; i < count; ++i)
    std::ranges::copy(rows.row(i * rows.rows / count), out.data() + i * rows.cols);
  return out;
}

/// Sketches of rows, and their codes in panels.
struct SketchedRows {
  AlignedFloats sketches;
  std::size_t rows, size;

  SketchedRows(const Sketcher& sketcher, MatrixView<const float> all)
      : sketches(all.rows * sketcher.size()), rows(all.rows), size(sketcher.size()) {
    sketcher.sketch(all, {sketches.data(), rows, size});
  }
  MatrixView<const float> view() const { return {sketches.data(), rows, size}; }
};

class PairScan {
 public:
  PairScan(MatrixView<const float> queries, MatrixView<const float> rows, Metric metric, float threshold,
           const FoundSink& sink, const PairProgress& progress)
      : queries_(queries),
        rows_(rows),
        metric_(metric),
        threshold_(threshold),
        sink_(sink),
        progress_(progress),
        symmetric_(queries.data == rows.data),
        length_(std::max(longest(rows), symmetric_ ? 0 : longest(queries))) {
    const std::uint64_t n = rows.rows;
    pairs_ = symmetric_ ? n * (n - 1) / 2 : n * queries.rows;
  }

  void run(FirstPass pass) {
    if (pass == FirstPass::automatic) pass = choose();
    if (pass == FirstPass::none) return score_all();
    if (pass == FirstPass::sketches) {
      if (!sketcher_) sketcher_.emplace(learned(kSketchSizes[0]));
      sketched_rows_.emplace(*sketcher_, rows_);
      if (!symmetric_) sketched_queries_.emplace(*sketcher_, queries_);
      row_codes_.emplace(rows_, metric_);
      if (!symmetric_) query_codes_.emplace(queries_, metric_);
    }
    panels_.emplace(sketched_rows_ ? sketched_rows_->view() : rows_, metric_);
    for_blocks([&](std::size_t begin, std::size_t end) { scan_block(begin, end); });
  }

 private:
  FirstPass choose();
  Sketcher learned(std::size_t size) const;
  double cost_of(const Sketcher& sketcher) const;
  void for_blocks(const std::function<void(std::size_t, std::size_t)>& block);
  void score_all();
  void scan_block(std::size_t begin, std::size_t end) const;
  void finish(std::size_t query, std::vector<std::uint32_t>& candidates, std::vector<float>& scores) const;

  const MatrixView<const float> queries_, rows_;
  const Metric metric_;
  const float threshold_;
  const FoundSink& sink_;
  const PairProgress& progress_;
  const bool symmetric_;
  const double length_;  // of the longest row
  std::uint64_t pairs_ = 0, done_ = 0;
  std::mutex mutex_;  // of done_ and progress_
  std::optional<Sketcher> sketcher_;
  std::optional<SketchedRows> sketched_rows_, sketched_queries_;  // if there are sketches
  std::optional<RowCodes> row_codes_, query_codes_;               // likewise; queries' own if they are no rows
  std::optional<OwnedCodePanels> panels_;
};

Sketcher PairScan::learned(std::size_t size) const {
  const std::size_t count = std::min(kSampleRows, rows_.rows);
  const AlignedFloats sample = sample_of(rows_, count);
  return Sketcher({sample.data(), count, rows_.cols}, size);
}

/// Of a pair, on average, by what the first pass leaves of a sample.
double PairScan::cost_of(const Sketcher& sketcher) const {
  const std::size_t count = std::min(kSampleRows, rows_.rows), asking = std::min(kSampleQueries, queries_.rows);
  const AlignedFloats sample = sample_of(rows_, count), queries = sample_of(queries_, asking);
  const SketchedRows rows(sketcher, {sample.data(), count, rows_.cols});
  const SketchedRows asked(sketcher, {queries.data(), asking, rows_.cols});
  BoundedQueries bounded(asked.view(), metric_);
  for (std::size_t q = 0; q < asking; ++q)
    bounded.set_threshold(q, static_cast<double>(threshold_) - sketcher.excess(metric_, length_));
  std::vector<Passing> passing;
  const OwnedCodePanels panels(rows.view(), metric_);
  find_passing(panels.view(), numbers(panels_of(count)), bounded.coded(), passing);
  std::size_t left = 0;
  for (const Passing& some : passing) left += static_cast<std::size_t>(std::popcount(some.rows));
  // Each query meets itself: of few rows that is much of what is left, of many it is nothing.
  const double share =
      static_cast<double>(left - std::min(left, symmetric_ ? asking : 0)) / static_cast<double>(count * asking);
  return static_cast<double>(sketcher.size()) + kPairCost + share * kWholeCost * static_cast<double>(rows_.cols);
}

FirstPass PairScan::choose() {
  if (!has_code_kernel() || rows_.cols > kMaxCodeDim || rows_.rows <= kPanelRows) return FirstPass::none;
  double least = static_cast<double>(rows_.cols) + kPairCost;
  for (const std::size_t size : kSketchSizes) {
    if (static_cast<double>(size) + kPairCost >= least || rows_.rows < kSampleRows) continue;
    Sketcher sketcher = learned(size);
    const double cost = cost_of(sketcher);
    if (cost >= least) continue;
    least = cost;
    sketcher_.emplace(std::move(sketcher));
  }
  return sketcher_ ? FirstPass::sketches : FirstPass::codes;
}

/// Calls block(begin, end) for blocks of queries, in parallel.
void PairScan::for_blocks(const std::function<void(std::size_t, std::size_t)>& block) {
  const std::size_t share = queries_.rows / (8 * worker_threads()) / kTileQueries * kTileQueries;
  const std::size_t grain = std::clamp(share, kTileQueries, kBlockQueries);
  parallel_blocks(queries_.rows, grain, [&](std::size_t begin, std::size_t end) {
    block(begin, end);
    if (!progress_) return;
    const std::lock_guard lock(mutex_);
    for (std::size_t q = begin; q < end; ++q) done_ += symmetric_ ? rows_.rows - 1 - q : rows_.rows;
    progress_(done_, pairs_);
  });
}

void PairScan::score_all() {
  const std::size_t chunk = std::max<std::size_t>(4, kChunkBytes / (rows_.stride * sizeof(float)) / 4 * 4);
  for_blocks([&](std::size_t begin, std::size_t end) {
    std::vector<float> scores((end - begin) * chunk), found_scores;
    std::vector<std::uint32_t> found;
    for (std::size_t first = symmetric_ ? begin : 0; first < rows_.rows; first += chunk) {
      const std::size_t count = std::min(chunk, rows_.rows - first);
      const MatrixView<float> block(scores.data(), end - begin, count);
      score_all_pairs(metric_, slice(queries_, begin, end), slice(rows_, first, first + count), block);
      for (std::size_t q = begin; q < end; ++q) {
        found.clear();
        found_scores.clear();
        const float* of_query = block.row(q - begin).data();
        std::size_t i = symmetric_ && q >= first ? std::min(count, q + 1 - first) : 0;
        for (; (i = first_at_least(of_query, i, count, threshold_)) < count; ++i) {
          found.push_back(static_cast<std::uint32_t>(first + i));
          found_scores.push_back(of_query[i]);
        }
        if (!found.empty()) sink_({static_cast<std::uint32_t>(q), found, found_scores});
      }
    }
  });
}

void PairScan::scan_block(std::size_t begin, std::size_t end) const {
  const MatrixView<const float> first_pass = !sketched_rows_ ? queries_
                                             : symmetric_    ? sketched_rows_->view()
                                                             : sketched_queries_->view();
  BoundedQueries bounded(slice(first_pass, begin, end), metric_);
  const double excess = sketcher_ && sketched_rows_ ? sketcher_->excess(metric_, length_) : 0;
  for (std::size_t q = 0; q < end - begin; ++q) bounded.set_threshold(q, static_cast<double>(threshold_) - excess);
  const CodePanels panels = panels_->view();
  const std::size_t all = panels_of(rows_.rows),
                    chunk = std::max<std::size_t>(1, kChunkBytes / (panels.dim * kPanelRows));
  std::vector<Passing> passing;
  std::vector<std::vector<std::uint32_t>> candidates(end - begin);
  std::vector<std::uint32_t> which(chunk);
  std::vector<float> scores;
  for (std::size_t first = symmetric_ ? begin / kPanelRows : 0; first < all; first += chunk) {
    const std::size_t count = std::min(chunk, all - first);
    std::iota(which.begin(), which.end(), static_cast<std::uint32_t>(first));
    passing.clear();
    find_passing(panels, std::span(which).first(count), bounded.coded(), passing);
    for (const Passing& some : passing) {
      for (std::uint32_t left = some.rows; left != 0; left &= left - 1) {
        const std::size_t row = std::size_t{some.panel} * kPanelRows + static_cast<std::size_t>(std::countr_zero(left));
        if (row < rows_.rows && (!symmetric_ || row > begin + some.query))
          candidates[some.query].push_back(static_cast<std::uint32_t>(row));
      }
    }
    for (std::size_t q = 0; q < candidates.size(); ++q) {
      if (candidates[q].empty()) continue;
      finish(begin + q, candidates[q], scores);
      candidates[q].clear();
    }
  }
}

/// Leaves those of the candidates that reach the threshold, and hands them on.
void PairScan::finish(std::size_t query, std::vector<std::uint32_t>& candidates, std::vector<float>& scores) const {
  if (row_codes_) row_codes_->keep_possible(symmetric_ ? *row_codes_ : *query_codes_, query, threshold_, candidates);
  scores.resize(candidates.size());
  score_rows(metric_, queries_.row(query), rows_, candidates, scores.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!(scores[i] >= threshold_)) continue;
    candidates[kept] = candidates[i];
    scores[kept++] = scores[i];
  }
  if (kept == 0) return;
  sink_({static_cast<std::uint32_t>(query), std::span(candidates).first(kept), std::span(scores).first(kept)});
}

}  // namespace

void scan_pairs(MatrixView<const float> queries, MatrixView<const float> rows, Metric metric, float threshold,
                const FoundSink& sink, const PairProgress& progress, FirstPass pass) {
  if (queries.rows == 0 || rows.rows == 0) return;
  PairScan(queries, rows, metric, threshold, sink, progress).run(pass);
}

}  // namespace cbir
