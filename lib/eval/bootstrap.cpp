#include <algorithm>
#include <cmath>
#include <cstdint>

#include <cbir/base/error.hpp>
#include <cbir/eval/scores.hpp>

#include "resampling.hpp"

namespace cbir {
namespace {

/// What is added up in every resample: the values of a measure, or who has one.
struct Column {
  std::size_t measure = 0;
  bool counts = false;
  std::vector<double> sums = {};  ///< one a resample
};

bool has_gaps(const Scores& scores, std::size_t measure) {
  return std::ranges::any_of(scores.queries,
                             [&](const QueryScores& query) { return std::isnan(query.values[measure]); });
}

double number_in(const Column& column, const QueryScores& query) {
  const double value = query.values[column.measure];
  if (std::isnan(value)) return 0;
  return column.counts ? 1 : value;
}

/// As many queries as there are, with replacement. Of a random number the upper half is scaled to the range, not
/// divided by it (Lemire: Fast random integer generation in an interval, 2019); the bias is below queries / 2^32.
void draw_queries(SplitMix64 random, Weights& weights) {
  const std::uint64_t queries = weights.size();
  for (std::uint64_t drawn = 0; drawn < queries; ++drawn) ++weights[((random() >> 32) * queries) >> 32];
}

/// Fills in the sums of up to kSums columns. Whatever the columns, the same queries are drawn.
void resample(const Scores& scores, const BootstrapOptions& options, Column* columns, std::size_t count) {
  ValueRows rows(scores.queries.size());
  for (std::size_t q = 0; q < rows.size(); ++q)
    for (std::size_t c = 0; c < count; ++c) rows[q][c] = number_in(columns[c], scores.queries[q]);
  for (std::size_t c = 0; c < count; ++c) columns[c].sums.resize(options.resamples);
  weigh_resamples(
      rows, options.resamples,
      [&](std::size_t r, Weights& weights) { draw_queries(generator_of(options.seed, r), weights); },
      [&](std::size_t r, const auto& sums) {
        for (std::size_t c = 0; c < count; ++c) columns[c].sums[r] = sums[c];
      });
}

/// The quantile of sorted values, with straight lines between them.
double quantile(const std::vector<double>& sorted, double share) {
  const double position = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 == sorted.size()) return sorted.back();
  return std::lerp(sorted[below], sorted[below + 1], position - static_cast<double>(below));
}

Interval interval_of(std::vector<double> means, double confidence) {
  if (means.empty()) return {};
  std::ranges::sort(means);
  return {quantile(means, (1 - confidence) / 2), quantile(means, (1 + confidence) / 2)};
}

}  // namespace

std::vector<Interval> bootstrap_intervals(const Scores& scores, const BootstrapOptions& options) {
  if (options.resamples == 0) throw UsageError("an interval takes at least one resample");
  if (!(options.confidence > 0 && options.confidence < 1))
    throw UsageError("the confidence of an interval lies between 0 and 1");
  std::vector<Column> columns;
  for (std::size_t m = 0; m < scores.measures.size(); ++m) {
    columns.push_back({.measure = m});
    if (has_gaps(scores, m)) columns.push_back({.measure = m, .counts = true});
  }
  for (std::size_t first = 0; first < columns.size(); first += kSums)
    resample(scores, options, columns.data() + first, std::min(kSums, columns.size() - first));

  std::vector<Interval> intervals(scores.measures.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const Column& values = columns[c];
    if (values.counts) continue;
    const bool gaps = c + 1 < columns.size() && columns[c + 1].counts;
    std::vector<double> means;
    for (std::size_t r = 0; r < options.resamples; ++r) {
      const double queries = gaps ? columns[c + 1].sums[r] : static_cast<double>(scores.queries.size());
      if (queries > 0) means.push_back(values.sums[r] / queries);  // of a resample without any there is no mean
    }
    intervals[values.measure] = interval_of(std::move(means), options.confidence);
  }
  return intervals;
}

}  // namespace cbir
