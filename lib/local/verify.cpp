#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <cbir/local/estimate_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/local/local.hpp>

#include "geometry.hpp"

namespace cbir {
namespace {

const cbir_estimate_api& estimate_plugin() {
  using Entry = const cbir_estimate_api* (*)();
  static const cbir_estimate_api& api = *reinterpret_cast<Entry>(load_plugin("vision", "cbir_estimate_plugin"))();
  if (api.abi != CBIR_ESTIMATE_ABI)
    throw Incompatible(
        fmt::format("plug-in 'vision': its interface for estimation has version {}, {} was expected; "
                    "install the one that belongs to this library",
                    api.abi, CBIR_ESTIMATE_ABI));
  return api;
}

/// Matches that a model is computed from.
std::size_t sample_size(GeometricModel model) {
  switch (model) {
    case GeometricModel::affine:
      return 3;
    case GeometricModel::homography:
      return 4;
    case GeometricModel::fundamental:
      return 8;
  }
  return 0;
}

/// The matched points, in pixels of the pictures as they were looked at; those of a mirrored one with x from right to
/// left, so that nothing below has to know.
std::vector<PointPair> points_of(const LocalFeatures& a, const LocalFeatures& b, std::span<const LocalMatch> matches,
                                 const VerifyOptions& options) {
  std::vector<PointPair> out;
  const float side = options.mirrored ? -1 : 1;
  for (const LocalMatch& match : matches) {
    if (match.a >= a.size() || match.b >= b.size())
      throw UsageError(fmt::format("a match of features {} and {}, but the pictures have {} and {}", match.a, match.b,
                                   a.size(), b.size()));
    const Keypoint &from = a.keypoints[match.a], &to = b.keypoints[match.b];
    out.push_back({side * from.x / a.scale, from.y / a.scale, to.x / b.scale, to.y / b.scale});
  }
  return out;
}

std::optional<Transform> estimate(const std::vector<PointPair>& points, std::span<const LocalMatch> matches,
                                  const VerifyOptions& options) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t i, std::size_t j) { return matches[i].score > matches[j].score; });
  std::vector<float> a, b;
  for (const std::size_t i : order) {
    a.insert(a.end(), {static_cast<float>(points[i].ax), static_cast<float>(points[i].ay)});
    b.insert(b.end(), {static_cast<float>(points[i].bx), static_cast<float>(points[i].by)});
  }
  const cbir_estimate_request request{.model = static_cast<std::uint32_t>(options.model),
                                      .a = a.data(),
                                      .b = b.data(),
                                      .count = points.size(),
                                      .threshold = options.threshold,
                                      .seed = options.seed};
  cbir_estimate_result result{};
  char message[512] = {};
  const int code = estimate_plugin().estimate(&request, &result, message, sizeof message);
  if (code != 0) throw Error(static_cast<ExitCode>(code), message);
  if (!result.found) return std::nullopt;
  Transform transform;
  std::ranges::copy(result.transform, transform.begin());
  return normalised(transform);
}

/// The logarithm, to base 10, of the number of ways to choose k of n.
double log_choose(std::size_t n, std::size_t k) {
  const auto log_factorial = [](std::size_t x) { return std::lgamma(static_cast<double>(x) + 1); };
  return (log_factorial(n) - log_factorial(k) - log_factorial(n - k)) / std::numbers::ln10;
}

/// What Verification::score says: of n matches k are inliers beyond the sample that any model fits, and one is by
/// chance with probability p.
double significance(std::size_t n, std::size_t k, std::size_t sample, double p) {
  if (k <= sample || n <= sample) return 0;
  const double tests = std::log10(static_cast<double>(n - sample)) + log_choose(n, k) + log_choose(k, sample);
  return std::max(0.0, -(tests + static_cast<double>(k - sample) * std::log10(p)));
}

/// How likely a match that has nothing to do with the model is an inlier: the share of the second picture that is
/// near a point, or near an epipolar line.
double chance(GeometricModel model, const LocalFeatures& b, double threshold) {
  const double width = std::max(1.0, b.width / double{b.scale}), height = std::max(1.0, b.height / double{b.scale});
  const double share = model == GeometricModel::fundamental
                           ? 2 * threshold * std::hypot(width, height) / (width * height)
                           : std::numbers::pi * threshold * threshold / (width * height);
  return std::min(.5, share);
}

}  // namespace

void mirror_keypoints(LocalFeatures& features) {
  for (Keypoint& point : features.keypoints) point.x = static_cast<float>(features.width - 1) - point.x;
}

Verification verify_matches(const LocalFeatures& a, const LocalFeatures& b, std::span<const LocalMatch> matches,
                            const VerifyOptions& options) {
  Verification out;
  out.matches = matches.size();
  const std::vector<PointPair> points = points_of(a, b, matches, options);
  const std::size_t sample = sample_size(options.model);
  if (points.size() <= sample) return out;
  std::optional<Transform> found = estimate(points, matches, options);
  if (!found) return out;
  std::vector<std::uint32_t> inliers;
  for (std::uint32_t i = 0; i < points.size(); ++i)
    if (error_of(options.model, *found, points[i]) <= options.threshold) inliers.push_back(i);
  if (is_degenerate(options.model, *found, points, inliers)) return out;

  const std::size_t places = distinct_places(points, inliers, options.threshold);
  const std::size_t others = distinct_places(points, all_of(points), options.threshold);
  out.score = significance(std::max(others, places), places, sample, chance(options.model, b, options.threshold));
  if (out.score == 0) return out;
  out.inliers = std::move(inliers);
  if (options.mirrored)
    for (const std::size_t column : {0U, 3U, 6U}) (*found)[column] = -(*found)[column];
  out.transform = scaled(options.model, *found, a.scale, b.scale);
  return out;
}

}  // namespace cbir
