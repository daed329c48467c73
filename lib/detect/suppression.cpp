#include "suppression.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace cbir {
namespace {

constexpr float kApart = 7680;                 // max_wh
constexpr std::size_t kMostLookedAt = 30'000;  // max_nms

struct Corners {
  float x1, y1, x2, y2, area;
};

Corners corners_of(const cbir_detect_candidate& candidate) {
  const float offset = static_cast<float>(candidate.class_id) * kApart;
  Corners out{candidate.x - candidate.width / 2 + offset, candidate.y - candidate.height / 2 + offset,
              candidate.x + candidate.width / 2 + offset, candidate.y + candidate.height / 2 + offset, 0};
  out.area = (out.x2 - out.x1) * (out.y2 - out.y1);
  return out;
}

}  // namespace

std::vector<std::size_t> suppress(std::span<const cbir_detect_candidate> candidates, float max_overlap,
                                  std::size_t max) {
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return candidates[i].confidence; });
  if (order.size() > kMostLookedAt) order.resize(kMostLookedAt);
  std::vector<Corners> boxes;
  boxes.reserve(order.size());
  for (const std::size_t i : order) boxes.push_back(corners_of(candidates[i]));

  // A box is compared with those that are kept, which are few, and not with all that follow.
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < boxes.size() && kept.size() < max; ++i) {
    const Corners& box = boxes[i];
    const bool covered = std::ranges::any_of(kept, [&](std::size_t j) {
      const Corners& better = boxes[j];
      const float width = std::max(0.0F, std::min(better.x2, box.x2) - std::max(better.x1, box.x1)),
                  height = std::max(0.0F, std::min(better.y2, box.y2) - std::max(better.y1, box.y1));
      const float both = width * height;
      return both / (better.area + box.area - both) > max_overlap;
    });
    if (!covered) kept.push_back(i);
  }
  for (std::size_t& i : kept) i = order[i];
  return kept;
}

}  // namespace cbir
