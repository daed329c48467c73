#include "best.hpp"

#include <algorithm>

namespace cbir {

std::vector<std::uint32_t> best_positions(std::span<const float> scores, std::size_t count,
                                          std::optional<std::size_t> left_out) {
  std::vector<std::uint32_t> best;
  if (count == 0) return best;
  const auto before = [&](std::uint32_t a, std::uint32_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  };
  const auto left = static_cast<std::uint32_t>(left_out.value_or(scores.size()));
  best.reserve(std::min(count, scores.size()));
  for (std::uint32_t i = 0; i < scores.size(); ++i) {
    if (best.size() == count && scores[i] <= scores[best.front()]) continue;  // later ones lose ties
    if (i == left) continue;
    if (best.size() == count) {
      std::ranges::pop_heap(best, before);  // the worst is in front
      best.back() = i;
    } else {
      best.push_back(i);
    }
    std::ranges::push_heap(best, before);
  }
  std::ranges::sort_heap(best, before);
  return best;
}

}  // namespace cbir
