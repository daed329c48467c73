#include <cbir/eval/distribution.hpp>

#include <algorithm>
#include <numeric>

namespace cbir {

std::vector<CutPoint> cut_points(const ScoreDistribution& distribution) {
  const std::size_t bins = distribution.relevant.size();
  const auto all = std::accumulate(distribution.relevant.begin(), distribution.relevant.end(), std::uint64_t{0});
  if (all == 0) return {};
  std::vector<CutPoint> points(bins);
  std::uint64_t relevant = 0, irrelevant = 0;
  for (std::size_t i = bins; i-- > 0;) {
    relevant += distribution.relevant[i];
    irrelevant += distribution.irrelevant[i];
    const std::uint64_t pairs = relevant + irrelevant;
    const double part = static_cast<double>(i) / static_cast<double>(bins);
    points[i] = {.score = distribution.low + part * (distribution.high - distribution.low),
                 .precision = pairs ? static_cast<double>(relevant) / static_cast<double>(pairs) : 1,
                 .recall = static_cast<double>(relevant) / static_cast<double>(all),
                 .relevant = relevant,
                 .pairs = pairs};
  }
  return points;
}

std::optional<CutPoint> cut_of_best_f1(const ScoreDistribution& distribution) {
  const std::vector<CutPoint> points = cut_points(distribution);
  std::optional<CutPoint> best;
  for (const CutPoint& point : points)
    if (point.relevant > 0 && (!best || point.f1() >= best->f1())) best = point;
  return best;
}

std::optional<CutPoint> cut_of_precision(const ScoreDistribution& distribution, double precision) {
  const std::vector<CutPoint> points = cut_points(distribution);
  auto found = std::ranges::find_if(
      points, [&](const CutPoint& point) { return point.relevant > 0 && point.precision >= precision; });
  if (found == points.end()) return std::nullopt;
  while (found + 1 != points.end() && (found + 1)->pairs == found->pairs) ++found;
  return *found;
}

}  // namespace cbir
