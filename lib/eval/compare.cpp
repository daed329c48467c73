#include <cbir/eval/compare.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <span>
#include <string_view>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "resampling.hpp"

namespace cbir {
namespace {

constexpr double kNoDifference = 1e-12;
constexpr std::size_t kEnumerated = 20;  ///< differences whose signs are all tried: 2^20 sums

void pair_queries(const Scores& a, const Scores& b, Comparison& comparison) {
  std::unordered_map<std::string_view, std::vector<std::size_t>> of_name;  // positions in b, the first one last
  for (std::size_t i = b.queries.size(); i-- > 0;) of_name[b.queries[i].query].push_back(i);
  std::vector<bool> paired(b.queries.size());
  for (std::size_t i = 0; i < a.queries.size(); ++i) {
    const auto found = of_name.find(a.queries[i].query);
    if (found == of_name.end() || found->second.empty()) {
      comparison.only_a.push_back(a.queries[i].query);
      continue;
    }
    comparison.pairs.push_back({i, found->second.back()});
    paired[found->second.back()] = true;
    found->second.pop_back();
  }
  for (std::size_t i = 0; i < b.queries.size(); ++i)
    if (!paired[i]) comparison.only_b.push_back(b.queries[i].query);
}

/// Differences of the measures in common, a row a pair; kNoValue where one of the two has no value.
Scores differences_of(const Scores& a, const Scores& b, Comparison& comparison) {
  Scores differences{.protocol = a.protocol, .measures = {}};
  std::vector<std::pair<std::size_t, std::size_t>> columns;
  for (std::size_t m = 0; m < a.measures.size(); ++m) {
    const auto found = std::ranges::find(b.measures, a.measures[m]);
    if (found == b.measures.end()) {
      comparison.measures_only_a.push_back(a.measures[m]);
      continue;
    }
    columns.emplace_back(m, static_cast<std::size_t>(found - b.measures.begin()));
    differences.measures.push_back(a.measures[m]);
    comparison.measures.push_back({.measure = a.measures[m], .interval = {}});
  }
  std::vector<Mean> sums_a(columns.size(), Mean{0, 0}), sums_b = sums_a;
  for (const QueryPair& pair : comparison.pairs) {
    differences.queries.push_back({.query = a.queries[pair.a].query, .values = {}});
    for (std::size_t m = 0; m < columns.size(); ++m) {
      const double of_a = a.queries[pair.a].values[columns[m].first];
      const double of_b = b.queries[pair.b].values[columns[m].second];
      double difference = of_b - of_a;  // not a number if either is not
      if (std::abs(difference) < kNoDifference) difference = 0;
      differences.queries.back().values.push_back(difference);
      if (std::isnan(difference)) continue;
      sums_a[m].value += of_a;
      sums_b[m].value += of_b;
      MeasureComparison& measure = comparison.measures[m];
      ++measure.queries;
      const double gain = lower_is_better(measure.measure) ? -difference : difference;
      ++(gain > 0 ? measure.better : gain < 0 ? measure.worse : measure.equal);
    }
  }
  for (std::size_t m = 0; m < columns.size(); ++m) {
    MeasureComparison& measure = comparison.measures[m];
    if (measure.queries == 0) continue;
    measure.a = sums_a[m].value / static_cast<double>(measure.queries);
    measure.b = sums_b[m].value / static_cast<double>(measure.queries);
    measure.difference = measure.b - measure.a;
  }
  return differences;
}

/// Sums of the values with every assignment of signs.
std::vector<double> signed_sums(std::span<const double> values) {
  std::vector<double> sums{0};
  for (const double value : values) {
    const std::size_t count = sums.size();
    for (std::size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] + value);
      sums[i] -= value;
    }
  }
  return sums;
}

/// Of sums that are equal but for rounding, one must not count and the other not.
double at_least(double observed, std::span<const double> values) {
  double all = 0;
  for (const double value : values) all += std::abs(value);
  return std::abs(observed) - 1e-12 * all;
}

/// Every assignment, as one of the first half of the values with one of the second.
double exact_p_value(std::span<const double> values) {
  double observed = 0;
  for (const double value : values) observed += value;
  const double limit = at_least(observed, values);
  const auto first = signed_sums(values.first(values.size() / 2));
  const auto second = signed_sums(values.subspan(values.size() / 2));
  std::uint64_t far = 0;
  for (const double one : first)
    for (const double other : second) far += std::abs(one + other) >= limit;
  return static_cast<double>(far) / static_cast<double>(first.size() * second.size());
}

/// For up to kSums measures at a time: how many of `assignments` random ones are at least as far from 0 as what was
/// seen. One coin a query, for all measures.
std::array<std::uint64_t, kSums> count_far(const ValueRows& rows, const std::array<double, kSums>& limits,
                                           const BootstrapOptions& options) {
  std::array<double, kSums> total{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < kSums; ++i) total[i] += row[i];
  const auto toss = [&](std::size_t r, Weights& weights) {
    SplitMix64 random = generator_of(~options.seed, r);
    std::uint64_t coins = 0;
    for (std::size_t q = 0; q < weights.size(); ++q, coins >>= 1) {
      if (q % 64 == 0) coins = random();
      weights[q] = static_cast<std::uint32_t>(coins & 1U);
    }
  };
  std::vector<std::array<bool, kSums>> is_far(options.resamples);
  weigh_resamples(rows, options.resamples, toss, [&](std::size_t r, const auto& positive) {
    for (std::size_t i = 0; i < kSums; ++i) is_far[r][i] = std::abs(2 * positive[i] - total[i]) >= limits[i];
  });
  std::array<std::uint64_t, kSums> far{};
  for (const auto& each : is_far)
    for (std::size_t i = 0; i < kSums; ++i) far[i] += each[i];
  return far;
}

/// Fills in the p-values of measures `first` and on.
void test_measures(const Scores& differences, std::size_t first, std::size_t count, const BootstrapOptions& options,
                   std::vector<MeasureComparison>& measures) {
  ValueRows rows(differences.queries.size());
  std::array<double, kSums> limits{};
  bool sampled = false;
  for (std::size_t m = 0; m < count; ++m) {
    MeasureComparison& measure = measures[first + m];
    if (measure.queries == 0) continue;
    std::vector<double> moved;
    double observed = 0;
    for (std::size_t q = 0; q < rows.size(); ++q) {
      const double value = differences.queries[q].values[first + m];
      if (std::isnan(value) || value == 0) continue;
      rows[q][m] = value;
      observed += value;
      moved.push_back(value);
    }
    limits[m] = at_least(observed, moved);
    measure.exact = moved.size() <= kEnumerated;
    if (measure.exact) measure.p_value = exact_p_value(moved);
    sampled = sampled || !measure.exact;
  }
  if (!sampled) return;
  const auto far = count_far(rows, limits, options);
  for (std::size_t m = 0; m < count; ++m)
    if (MeasureComparison& measure = measures[first + m]; measure.queries > 0 && !measure.exact)
      measure.p_value = static_cast<double>(far[m] + 1) / static_cast<double>(options.resamples + 1);
}

}  // namespace

bool lower_is_better(std::string_view measure) { return measure.ends_with("_rank"); }

int MeasureComparison::verdict() const {
  const int higher = interval.low > 0 ? 1 : interval.high < 0 ? -1 : 0;
  return lower_is_better(measure) ? -higher : higher;
}

Comparison compare_scores(const Scores& a, const Scores& b, const ComparisonOptions& options) {
  const std::string name_a = display_path(options.name_a), name_b = display_path(options.name_b);
  if (a.protocol != b.protocol)
    throw Incompatible(fmt::format("{} holds scores of the protocol {}, {} of {}; expected two of one", name_a,
                                   display_path(a.protocol), name_b, display_path(b.protocol)));
  Comparison comparison;
  pair_queries(a, b, comparison);
  const auto first_of = [](const Scores& scores) {
    return scores.queries.empty() ? std::string("none") : display_path(scores.queries.front().query);
  };
  if (comparison.pairs.empty())
    throw Incompatible(
        fmt::format("{} and {} have no query in common; they are paired by name: the one has {}, the "
                    "other {}",
                    name_a, name_b, first_of(a), first_of(b)));
  const Scores differences = differences_of(a, b, comparison);
  if (comparison.measures.empty())
    throw Incompatible(fmt::format("{} and {} have no measure in common: the one has {}, the other {}", name_a, name_b,
                                   fmt::join(a.measures, ", "), fmt::join(b.measures, ", ")));
  std::ranges::copy_if(b.measures, std::back_inserter(comparison.measures_only_b), [&](const std::string& measure) {
    return std::ranges::find(a.measures, measure) == a.measures.end();
  });
  const auto intervals = bootstrap_intervals(differences, options.bootstrap);
  for (std::size_t m = 0; m < intervals.size(); ++m) comparison.measures[m].interval = intervals[m];
  for (std::size_t first = 0; first < comparison.measures.size(); first += kSums)
    test_measures(differences, first, std::min(kSums, comparison.measures.size() - first), options.bootstrap,
                  comparison.measures);
  return comparison;
}

Moves most_moved(const Scores& a, const Scores& b, const Comparison& comparison, const std::string& measure,
                 std::size_t count) {
  const std::size_t of_a = a.measure(measure), of_b = b.measure(measure);
  Moves moves{.measure = measure, .queries = {}};
  for (const QueryPair& pair : comparison.pairs) {
    const QueryScores& query = a.queries[pair.a];
    const double value_a = query.values[of_a], value_b = b.queries[pair.b].values[of_b];
    if (std::abs(value_b - value_a) >= kNoDifference) moves.queries.push_back({query.query, pair, value_a, value_b});
  }
  std::ranges::stable_sort(moves.queries, [](const MovedQuery& x, const MovedQuery& y) {
    return std::abs(x.b - x.a) > std::abs(y.b - y.a);
  });
  if (moves.queries.size() > count) moves.queries.resize(count);
  return moves;
}

}  // namespace cbir
