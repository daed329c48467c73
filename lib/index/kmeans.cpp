#include "lib/index/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <cbir/index/scan.hpp>

#include <cbir/base/workspaces.hpp>
#include "lib/index/aligned.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/pq4_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRows = 192;       // assigned together
constexpr std::size_t kCentroids = 256;  // compared at a time: their scores stay in the cache

/// What a thread needs to assign rows.
struct Scratch {
  explicit Scratch(std::size_t dim) : rows(kRows * dim), scores(kRows * kCentroids), best(kRows) {}
  AlignedFloats rows;  ///< gathered ones
  std::vector<float> scores;
  std::vector<Best> best;
};

std::vector<float> half_squared_norms(MatrixView<const float> centroids) {
  std::vector<float> out(centroids.rows);
  for (std::size_t c = 0; c < centroids.rows; ++c) {
    double sum = 0;
    for (const float x : centroids.row(c)) sum += static_cast<double>(x) * static_cast<double>(x);
    out[c] = static_cast<float>(sum / 2);
  }
  return out;
}

/// The nearest centroid maximises <x, c> - |c|^2 / 2; leaves that and its number in scratch.best.
void assign_block(MatrixView<const float> rows, MatrixView<const float> centroids, std::span<const float> half_norms,
                  Scratch& scratch) {
  std::fill_n(scratch.best.begin(), rows.rows, Best{});
  for (std::size_t begin = 0; begin < centroids.rows; begin += kCentroids) {
    const std::size_t end = std::min(centroids.rows, begin + kCentroids);
    const MatrixView<float> scores(scratch.scores.data(), rows.rows, end - begin);
    inner_products(rows, slice(centroids, begin, end), scores);
    for (std::size_t r = 0; r < rows.rows; ++r)
      best_difference(scores.row(r).data(), half_norms.data() + begin, end - begin, begin, scratch.best[r]);
  }
}

/// Calls found(i, best) for each of the chosen rows.
template <typename Found>
void assign_chosen(MatrixView<const float> rows, std::span<const std::uint32_t> chosen,
                   MatrixView<const float> centroids, const Found& found) {
  const std::vector<float> half_norms = half_squared_norms(centroids);
  WorkspacePool<Scratch> pool([&] { return std::make_unique<Scratch>(rows.cols); });
  parallel_blocks(chosen.size(), kRows, [&](std::size_t begin, std::size_t end) {
    pool.with([&](Scratch& scratch) {
      for (std::size_t i = begin; i < end; ++i)
        std::copy_n(rows.row(chosen[i]).data(), rows.cols, scratch.rows.data() + (i - begin) * rows.cols);
      assign_block({scratch.rows.data(), end - begin, rows.cols}, centroids, half_norms, scratch);
      for (std::size_t i = begin; i < end; ++i) found(i, scratch.best[i - begin]);
    });
  });
}

/// The rows of each cluster, in order: members[first[c]] to members[first[c + 1]].
struct Members {
  std::vector<std::size_t> first;
  std::vector<std::uint32_t> members;
};

Members group(std::span<const std::uint32_t> chosen, std::span<const std::uint32_t> nearest, std::size_t clusters) {
  Members out{std::vector<std::size_t>(clusters + 1), std::vector<std::uint32_t>(chosen.size())};
  for (const std::uint32_t c : nearest) ++out.first[c + 1];
  std::partial_sum(out.first.begin(), out.first.end(), out.first.begin());
  std::vector<std::size_t> next(out.first.begin(), out.first.end() - 1);
  for (std::size_t i = 0; i < chosen.size(); ++i) out.members[next[nearest[i]]++] = chosen[i];
  return out;
}

/// Each centroid becomes the mean of its rows, summed in their order.
void update(MatrixView<const float> rows, const Members& groups, MatrixView<float> centroids) {
  parallel_blocks(centroids.rows, 8, [&](std::size_t begin, std::size_t end) {
    std::vector<double> sum(rows.cols);
    for (std::size_t c = begin; c < end; ++c) {
      const std::size_t count = groups.first[c + 1] - groups.first[c];
      if (count == 0) continue;
      std::fill(sum.begin(), sum.end(), 0.0);
      for (std::size_t i = groups.first[c]; i < groups.first[c + 1]; ++i) {
        const float* row = rows.row(groups.members[i]).data();
        for (std::size_t d = 0; d < rows.cols; ++d) sum[d] += static_cast<double>(row[d]);
      }
      for (std::size_t d = 0; d < rows.cols; ++d)
        centroids.row(c)[d] = static_cast<float>(sum[d] / static_cast<double>(count));
    }
  });
}

/// Draws rows with chances that are their weights, which become 0; fewer if fewer have a weight.
std::vector<std::uint32_t> draw(std::span<const std::uint32_t> chosen, std::size_t count, SplitMix64& random,
                                std::span<float> weights) {
  std::vector<double> sums(weights.size());
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sums[i] = sum += static_cast<double>(weights[i]);
  std::vector<std::uint32_t> out;
  // A row that comes again is passed over; many do only where few rows have a weight.
  for (std::size_t tries = 0; sum > 0 && out.size() < count && tries < 4 * count; ++tries) {
    const double at = sum * (static_cast<double>(random() >> 11) * 0x1p-53);
    const auto i = static_cast<std::size_t>(std::upper_bound(sums.begin(), sums.end(), at) - sums.begin());
    if (i == sums.size() || weights[i] == 0) continue;
    weights[i] = 0;
    out.push_back(chosen[i]);
  }
  return out;
}

/// The first centroids are rows, some at a time, drawn with chances that grow with the squared distance to those that
/// there are: so few clusters go without one (k-means||, Bahmani et al. 2012, with as many as are wanted). With fewer
/// different rows than clusters the rest are copies, which get no rows and are split.
void choose_first(MatrixView<const float> rows, std::span<const std::uint32_t> chosen, std::uint64_t seed,
                  MatrixView<float> centroids) {
  constexpr std::size_t kBatches = 8;
  SplitMix64 random(seed);
  std::vector<float> squares(chosen.size()), weights(chosen.size(), 1);
  parallel_blocks(chosen.size(), kRows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      for (const float x : rows.row(chosen[i])) squares[i] += x * x;
  });
  std::vector<float> distances(chosen.size(), std::numeric_limits<float>::max());
  std::size_t have = 0;
  while (have < centroids.rows) {
    const std::size_t wanted = std::min(centroids.rows - have, centroids.rows / kBatches + 1);
    const std::vector<std::uint32_t> drawn = draw(chosen, wanted, random, weights);
    if (drawn.empty()) break;
    for (std::size_t c = 0; c < drawn.size(); ++c)
      std::copy_n(rows.row(drawn[c]).data(), rows.cols, centroids.row(have + c).data());
    assign_chosen(rows, chosen, slice(MatrixView<const float>(centroids), have, have + drawn.size()),
                  [&](std::size_t i, const Best& best) {
                    distances[i] = std::min(distances[i], std::max(0.0F, squares[i] - 2 * best.value));
                  });
    std::ranges::copy(distances, weights.begin());
    have += drawn.size();
  }
  for (std::size_t c = have; c < centroids.rows; ++c)
    std::copy_n(centroids.row(c % std::max<std::size_t>(have, 1)).data(), rows.cols, centroids.row(c).data());
}

/// Gives each empty cluster a centroid beside that of the largest one, which it then shares rows with.
void split_empty(const Members& groups, MatrixView<float> centroids) {
  constexpr float kShift = 1.0F / 1024;
  std::vector<std::size_t> counts(centroids.rows);
  for (std::size_t c = 0; c < counts.size(); ++c) counts[c] = groups.first[c + 1] - groups.first[c];
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] != 0) continue;
    const auto largest = static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    for (std::size_t d = 0; d < centroids.cols; ++d) {
      const float x = centroids.row(largest)[d], shift = d % 2 == 0 ? kShift : -kShift;
      centroids.row(c)[d] = x * (1 + shift);
      centroids.row(largest)[d] = x * (1 - shift);
    }
    counts[c] = counts[largest] / 2;
    counts[largest] -= counts[c];
  }
}

}  // namespace

std::vector<std::uint32_t> sample_rows(std::size_t total, std::size_t count, std::uint64_t seed) {
  std::vector<std::uint32_t> out;
  out.reserve(std::min(total, count));
  // Selection sampling (Knuth, 3.4.2 S): each row is taken with the chance that what is wanted has of what is left.
  SplitMix64 random(seed);
  for (std::size_t i = 0, wanted = std::min(total, count); wanted > 0; ++i) {
    if (random.below(total - i) >= wanted) continue;
    out.push_back(static_cast<std::uint32_t>(i));
    --wanted;
  }
  return out;
}

std::vector<float> train_kmeans(MatrixView<const float> rows, const KMeansOptions& options) {
  const std::vector<std::uint32_t> chosen = sample_rows(rows.rows, options.clusters * options.sample, options.seed);
  std::vector<float> out(options.clusters * rows.cols);
  const MatrixView<float> centroids(out.data(), options.clusters, rows.cols);
  choose_first(rows, chosen, options.seed + 1, centroids);
  std::vector<std::uint32_t> nearest(chosen.size());
  for (std::size_t round = 0; round < options.rounds; ++round) {
    assign_chosen(rows, chosen, centroids, [&](std::size_t i, const Best& best) { nearest[i] = best.index; });
    const Members groups = group(chosen, nearest, options.clusters);
    update(rows, groups, centroids);
    split_empty(groups, centroids);
  }
  return out;
}

void assign_nearest(MatrixView<const float> rows, MatrixView<const float> centroids, std::span<std::uint32_t> nearest) {
  const std::vector<float> half_norms = half_squared_norms(centroids);
  WorkspacePool<Scratch> pool([&] { return std::make_unique<Scratch>(0); });
  parallel_blocks(rows.rows, kRows, [&](std::size_t begin, std::size_t end) {
    pool.with([&](Scratch& scratch) {
      assign_block(slice(rows, begin, end), centroids, half_norms, scratch);
      for (std::size_t i = begin; i < end; ++i) nearest[i] = scratch.best[i - begin].index;
    });
  });
}

}  // namespace cbir
