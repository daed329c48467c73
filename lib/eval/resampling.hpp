#pragma once
/// What the bootstrap and the randomisation test share: sums over queries with random weights, a few resamples at a
/// time while a query's numbers are at hand, and a generator of its own for each resample, so that results do not
/// depend on who computes which.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>

namespace cbir {

inline constexpr std::size_t kSums = 16;     ///< numbers of a query that are added together
inline constexpr std::size_t kTogether = 4;  ///< resamples that are

/// One row a query; what is not used is zero.
using ValueRows = std::vector<std::array<double, kSums>>;

/// How often each query counts in one resample; zeros when it is handed out.
using Weights = std::vector<std::uint32_t>;

/// Generators of one seed are as different as those of different seeds.
inline SplitMix64 generator_of(std::uint64_t seed, std::uint64_t resample) {
  SplitMix64 first(seed);
  SplitMix64 second(first() + resample);
  return SplitMix64(second());
}

/// For each of `resamples`: draws its weights by draw(resample, weights), and gives take(resample, sums) the rows'
/// weighted sums. In parallel.
template <typename Draw, typename Take>
void weigh_resamples(const ValueRows& rows, std::size_t resamples, const Draw& draw, const Take& take) {
  parallel_blocks(resamples, kTogether, [&](std::size_t begin, std::size_t end) {
    std::array<Weights, kTogether> weights;
    for (Weights& each : weights) each.assign(rows.size(), 0);
    for (std::size_t r = begin; r < end; ++r) draw(r, weights[r - begin]);
    std::array<std::array<double, kSums>, kTogether> sums{};
    for (std::size_t q = 0; q < rows.size(); ++q)
      for (std::size_t j = 0; j < kTogether; ++j) {
        const double weight = weights[j][q];
        for (std::size_t i = 0; i < kSums; ++i) sums[j][i] += weight * rows[q][i];
      }
    for (std::size_t r = begin; r < end; ++r) take(r, sums[r - begin]);
  });
}

}  // namespace cbir
