#include "lib/index/recall.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/plain_scan.hpp"

namespace cbir {
namespace {

constexpr double kScoredNumbers = 8e10;  // rows x dim x queries: about a second of two cores
constexpr std::size_t kFewest = 128, kMost = 1024;
// Found by trial, so that recall is within about .01 of what it is for rows that were left out, for ivf, hnsw and lsh
// on 100,000 x 1280: the partner is a row's fifth neighbour, and six tenths of a difference are what scatters as rows
// do.
constexpr std::size_t kPartner = 5;
constexpr float kMove = .6F;
constexpr double kStandardErrors = 1.96;  // of a 95 % interval

std::vector<TopK> exact(const Segment& segment, Metric metric, MatrixView<const float> queries, std::size_t k) {
  std::vector<TopK> best(queries.rows, TopK(k));
  SearchCounts counts;
  PlainScan(segment, metric).search(queries, {}, {}, best, counts);
  return best;
}

}  // namespace

/// Queries are made in place: each row is read from the segment, not from where it stood.
RecallSample::RecallSample(const Segment& segment, Metric metric, std::size_t dim, std::uint64_t seed)
    : stride_(padded_dim(dim)),
      rows_(segment.size()),
      excludes_(rows_ > kNeighbours + kExcluded),
      queries_(kMost * stride_),
      neighbours_(std::min(kNeighbours, rows_)) {
  const auto affordable = static_cast<std::size_t>(kScoredNumbers / static_cast<double>(rows_ * stride_));
  const std::size_t count = std::clamp(affordable, kFewest, kMost);
  // Raw numbers of the generator, not a distribution's, which differ between standard libraries.
  std::mt19937_64 random(seed);
  std::vector<std::size_t> rows(count), others(count);
  for (std::size_t i = 0; i < count; ++i) {
    rows[i] = random() % rows_;
    std::ranges::copy(segment.vectors.row(rows[i]), queries_.data() + i * stride_);
  }
  std::vector<TopK> nearest =
      exact(segment, metric, {queries_.data(), count, stride_}, std::min<std::size_t>(kPartner + 1, rows_));
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Hit> hits = nearest[i].take();
    std::erase_if(hits, [&](const Hit& hit) { return hit.id == rows[i]; });
    others[i] = hits.empty() ? rows[i] : static_cast<std::size_t>(hits[std::min(kPartner, hits.size()) - 1].id);
  }
  AlignedFloats query(stride_);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t pair = (i + 1) % count;
    const std::span<const float> a = segment.vectors.row(rows[i]), b = segment.vectors.row(others[i]),
                                 from = segment.vectors.row(rows[pair]), to = segment.vectors.row(others[pair]);
    for (std::size_t j = 0; j < stride_; ++j) query.data()[j] = a[j] / 2 + b[j] / 2 + (kMove * to[j] - kMove * from[j]);
    // Huge vectors may leave the range, opposite ones cancel out: then the row itself asks.
    if (prepare_vector({query.data(), dim}, metric == Metric::cosine) == VectorState::fine)
      std::copy_n(query.data(), stride_, queries_.data() + i * stride_);
    excluded_.push_back({rows[i], others[i]});
  }
  truth_.resize(count);
  std::vector<TopK> best = exact(segment, metric, queries_view(), std::min(rows_, neighbours_ + kExcluded));
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Hit> hits = best[i].take();
    std::erase_if(hits, [&](const Hit& hit) { return !counts(i, hit); });
    truth_[i] = hits[neighbours_ - 1].score;
  }
}

Measured RecallSample::measure(const Structure& structure, const SearchEffort& effort) const {
  using Clock = std::chrono::steady_clock;
  std::vector<TopK> best(queries(), TopK(std::min(rows_, neighbours_ + kExcluded)));
  Measured out;
  const auto start = Clock::now();
  structure.search(queries_view(), effort, {.words = {}, .passing = rows_}, best, out.counts);
  out.seconds = std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(queries());
  double sum = 0, squares = 0;
  for (std::size_t q = 0; q < queries(); ++q) {
    const auto& hits = best[q].hits();
    const auto right =
        std::ranges::count_if(hits, [&](const Hit& hit) { return counts(q, hit) && hit.score >= truth_[q]; });
    const double recall = std::min(1.0, static_cast<double>(right) / static_cast<double>(neighbours_));
    sum += recall;
    squares += recall * recall;
  }
  const auto n = static_cast<double>(queries());
  const double mean = sum / n, variance = std::max(0.0, squares / n - mean * mean);
  // Where every query is right the variance says nothing; then the rule of three does.
  const double margin = variance > 0 ? kStandardErrors * std::sqrt(variance / n) : 3 / n;
  out.recall = {.recall = mean,
                .low = std::max(0.0, mean - margin),
                .high = std::min(1.0, mean + (variance > 0 ? margin : 0)),
                .queries = queries()};
  return out;
}

double RecallSample::seconds_alone(const Structure& structure, const SearchEffort& effort, std::size_t count) const {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  for (std::size_t q = 0; q < std::min(count, queries()); ++q) {
    std::vector<TopK> best(1, TopK(neighbours_));
    SearchCounts counts;
    const auto start = Clock::now();
    structure.search({queries_.data() + q * stride_, 1, stride_}, effort, {.words = {}, .passing = rows_}, best,
                     counts);
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return times[times.size() / 2];
}

}  // namespace cbir
