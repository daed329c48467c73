#pragma once
/// The first items of a ranking, without ranking the rest.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace cbir {

/// Positions of the `count` highest scores in the order (score descending, position ascending), or of all if there are
/// fewer; without `left_out`. All scores must be finite.
std::vector<std::uint32_t> best_positions(std::span<const float> scores, std::size_t count,
                                          std::optional<std::size_t> left_out);

}  // namespace cbir
