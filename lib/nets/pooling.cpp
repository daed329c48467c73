#include "pooling.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace cbir::nets {
namespace {

constexpr double kEpsilon = 1e-6;
constexpr int kLevels = 3;
constexpr double kOverlap = .4;  // of neighbouring regions, that the number of regions on the long side aims at

at::Tensor unit_maximum(const at::Tensor& region) {
  const at::Tensor maximum = region.amax({2, 3});
  return maximum / (maximum.norm(2, {1}, true) + kEpsilon);
}

/// How many regions more than on the short side there are on the long one, at every level.
int extra_regions(std::int64_t longer, std::int64_t shorter) {
  if (longer == shorter) return 0;
  int best = 0;
  double best_error = 0;
  for (int extra = 1; extra <= 6; ++extra) {
    const double step = static_cast<double>(longer - shorter) / extra;
    const double error = std::abs((static_cast<double>(shorter) - step) / static_cast<double>(shorter) - kOverlap);
    if (best == 0 || error < best_error) std::tie(best, best_error) = std::pair(extra, error);
  }
  return best;
}

/// Where `count` regions of `width` begin that are spread evenly over `size`.
std::int64_t region_begin(int i, int count, std::int64_t width, std::int64_t size) {
  return count == 1 ? 0 : static_cast<std::int64_t>(std::floor(i * static_cast<double>(size - width) / (count - 1)));
}

at::Tensor rmac(const at::Tensor& x) {
  const std::int64_t height = x.size(2), width = x.size(3), shorter = std::min(height, width);
  const int extra = extra_regions(std::max(height, width), shorter);
  at::Tensor sum = unit_maximum(x);
  for (int level = 1; level <= kLevels; ++level) {
    const std::int64_t side = 2 * shorter / (level + 1);
    if (side == 0) continue;
    const int rows = level + (height > width ? extra : 0), columns = level + (width > height ? extra : 0);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j)
        sum += unit_maximum(x.narrow(2, region_begin(i, rows, side, height), side)
                                .narrow(3, region_begin(j, columns, side, width), side));
  }
  return sum;
}

}  // namespace

at::Tensor pool(const at::Tensor& maps, const Settings& settings) {
  const at::Tensor features = maps.to(at::kFloat);  // powers and sums of many want the precision
  if (settings.pool == "avg") return features.mean({2, 3});
  if (settings.pool == "max") return features.amax({2, 3});
  if (settings.pool == "gem")
    return features.clamp_min(kEpsilon).pow(settings.gem_p).mean({2, 3}).pow(1 / settings.gem_p);
  return rmac(features);
}

void check_pool(const Settings& settings) {
  for (const char* known : {"avg", "gem", "max", "rmac"})
    if (settings.pool == known) return;
  throw Error(ExitCode::incompatible,
              "network '" + settings.network + "' has no pool '" + settings.pool + "'; avg, gem, max or rmac");
}

void check_no_pool(const Settings& settings) {
  if (settings.pool != "none")
    throw Error(ExitCode::incompatible, "layer '" + settings.layer + "' of " + settings.network +
                                            " has no positions to pool: pool is '" + settings.pool +
                                            "', 'none' was expected");
}

}  // namespace cbir::nets
