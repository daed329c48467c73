#include "average_precision.hpp"

namespace cbir {
namespace {

double ratio(std::uint64_t part, std::uint64_t whole) { return static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

double standard_precision(std::span<const std::uint64_t> ranks, std::uint64_t relevant) {
  double sum = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) sum += ratio(i + 1, ranks[i]);
  return sum / static_cast<double>(relevant);
}

double trapezoid_precision(std::span<const std::uint64_t> ranks, std::uint64_t relevant) {
  double sum = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i)
    sum += (ranks[i] == 1 ? 1 : ratio(i, ranks[i] - 1)) + ratio(i + 1, ranks[i]);
  return sum / 2 / static_cast<double>(relevant);
}

}  // namespace cbir
