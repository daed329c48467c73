#include "keypoints.hpp"

#include <ATen/Functions.h>

#include <algorithm>

namespace cbir::nets {
namespace {

/// Pixels above the threshold. No other can be a maximum that counts, nor exceed or suppress one that does: a maximum
/// exceeds whatever it suppresses.
std::vector<Peak> above(const ScoreMap& map, float threshold) {
  std::vector<Peak> out;
  const float* score = map.scores.data();
  for (std::int64_t y = 0; y < map.height; ++y)
    for (std::int64_t x = 0; x < map.width; ++x, ++score)
      if (*score > threshold) out.push_back({static_cast<std::int32_t>(x), static_cast<std::int32_t>(y), *score});
  return out;
}

/// Calls visit(index) for the pixels within `radius` of a peak, itself included, until it returns false.
template <typename Visit>
bool around(const ScoreMap& map, const Peak& peak, int radius, Visit visit) {
  const std::int64_t left = std::max<std::int64_t>(peak.x - radius, 0),
                     right = std::min<std::int64_t>(peak.x + radius, map.width - 1),
                     top = std::max<std::int64_t>(peak.y - radius, 0),
                     bottom = std::min<std::int64_t>(peak.y + radius, map.height - 1);
  for (std::int64_t y = top; y <= bottom; ++y)
    for (std::int64_t i = y * map.width + left, end = y * map.width + right; i <= end; ++i)
      if (!visit(static_cast<std::size_t>(i))) return false;
  return true;
}

}  // namespace

at::Tensor cells_to_pixels(const at::Tensor& logits) {
  constexpr std::int64_t kCell = 8;
  const at::Tensor likely = at::softmax(logits.permute({0, 2, 3, 1}), -1).narrow(-1, 0, kCell * kCell);
  const std::int64_t rows = likely.size(1), columns = likely.size(2);
  return likely.reshape({rows, columns, kCell, kCell})
      .permute({0, 2, 1, 3})
      .contiguous()
      .view({rows * kCell, columns * kCell});
}

std::vector<Peak> local_maxima(const ScoreMap& map, float threshold, int radius) {
  std::vector<Peak> peaks = above(map, threshold);
  std::erase_if(peaks, [&](const Peak& peak) {
    return !around(map, peak, radius, [&](std::size_t i) { return map.scores[i] <= peak.score; });
  });
  return peaks;
}

std::vector<Peak> local_maxima_again(const ScoreMap& map, float threshold, int radius) {
  constexpr int kAgain = 2;
  const std::vector<Peak> candidates = above(map, threshold);
  std::vector<std::uint8_t> suppressed(map.scores.size());
  std::vector<Peak> rest = candidates, peaks;
  for (int round = 0; round <= kAgain; ++round) {
    std::vector<Peak> found;
    for (const Peak& peak : rest)
      if (around(map, peak, radius, [&](std::size_t i) { return suppressed[i] || map.scores[i] <= peak.score; }))
        found.push_back(peak);
    for (const Peak& peak : found) around(map, peak, radius, [&](std::size_t i) { return suppressed[i] = 1; });
    peaks.insert(peaks.end(), found.begin(), found.end());
    std::erase_if(
        rest, [&](const Peak& peak) { return suppressed[static_cast<std::size_t>(peak.y * map.width + peak.x)] != 0; });
  }
  std::ranges::sort(peaks, {}, [](const Peak& peak) { return std::pair(peak.y, peak.x); });
  return peaks;
}

void leave_border(std::vector<Peak>& peaks, const ScoreMap& map, int border) {
  std::erase_if(peaks, [&](const Peak& peak) {
    return peak.x < border || peak.y < border || peak.x >= map.width - border || peak.y >= map.height - border;
  });
}

void keep_strongest(std::vector<Peak>& peaks, std::size_t limit) {
  std::ranges::stable_sort(peaks, std::ranges::greater(), &Peak::score);
  if (peaks.size() > limit) peaks.resize(limit);
}

}  // namespace cbir::nets
