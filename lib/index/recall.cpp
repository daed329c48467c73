#include "lib/index/recall.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "lib/index/plain_scan.hpp"

namespace cbir {
namespace {

constexpr double kScoredNumbers = 1.6e11;  // rows x dim x queries: about two seconds of two cores
constexpr std::size_t kFewest = 256, kMost = 2048;
constexpr double kStandardErrors = 1.96;  // of a 95 % interval

}  // namespace

RecallSample::RecallSample(const Segment& segment, Metric metric, std::uint64_t seed)
    : stride_(segment.vectors.cols),
      rows_(segment.size()),
      excludes_(rows_ > kNeighbours),
      queries_(kMost * stride_),
      neighbours_(std::min(kNeighbours, rows_)) {
  const auto affordable = static_cast<std::size_t>(kScoredNumbers / static_cast<double>(rows_ * stride_));
  const std::size_t count = std::clamp(affordable, kFewest, kMost);
  // Raw numbers of the generator, not a distribution's, which differ between standard libraries.
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    own_.push_back(static_cast<std::uint32_t>(random() % rows_));
    std::ranges::copy(segment.vectors.row(own_[i]), queries_.data() + i * stride_);
  }
  truth_.resize(count);
  std::vector<TopK> best(count, TopK(found()));
  SearchCounts counts;
  PlainScan(segment, metric).search(queries_view(), {}, {}, best, counts);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Hit> hits = best[i].take();
    std::erase_if(hits, [&](const Hit& hit) { return !this->counts(i, hit); });
    truth_[i] = hits[neighbours_ - 1].score;
  }
}

Measured RecallSample::measure(const Structure& structure, const SearchEffort& effort) const {
  using Clock = std::chrono::steady_clock;
  std::vector<TopK> best(queries(), TopK(found()));
  Measured out;
  const auto start = Clock::now();
  structure.search_without(own_, queries_view(), effort, {.words = {}, .passing = rows_}, best, out.counts);
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
