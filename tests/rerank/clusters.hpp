#pragma once
/// Vectors with a known structure.

#include <algorithm>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <cbir/index/vectors.hpp>
#include <cbir/rerank/vectors.hpp>

namespace fixture {

inline float draw(std::mt19937& random) {
  return static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000.0F;
}

inline cbir::Vectors random_rows(std::size_t rows, std::size_t dim, unsigned seed) {
  std::mt19937 random(seed);
  cbir::Vectors out(rows, dim);
  for (std::size_t i = 0; i < rows; ++i) {
    for (float& x : out.row(i)) x = draw(random);
    cbir::prepare_vector(out.row(i), true);
  }
  return out;
}

/// Row i is of group i % groups: the centre of that, an offset that all rows have, and noise.
inline cbir::Vectors clustered_rows(std::size_t rows, std::size_t dim, std::size_t groups, float noise, unsigned seed,
                                    float offset = .5F) {
  const cbir::Vectors centres = random_rows(groups, dim, seed);
  std::mt19937 random(seed + 1);
  cbir::Vectors out(rows, dim);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t c = 0; c < dim; ++c)
      out.row(i)[c] = centres.row(i % groups)[c] + offset / static_cast<float>(dim) + noise * draw(random);
    cbir::prepare_vector(out.row(i), true);
  }
  return out;
}

inline double inner_product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return sum;
}

/// Share of rows whose nearest row is of their own group.
inline double first_is_right(const cbir::Vectors& vectors, std::size_t groups) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < vectors.rows(); ++i) {
    std::size_t best = i;
    double score = -2;
    for (std::size_t j = 0; j < vectors.rows(); ++j)
      if (const double s = j == i ? -2 : inner_product(vectors.row(i), vectors.row(j)); s > score) {
        best = j;
        score = s;
      }
    right += best % groups == i % groups ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(vectors.rows());
}

/// Mean over rows of the share of their own group among as many nearest rows as that has others.
inline double r_precision(const cbir::Vectors& vectors, std::size_t groups) {
  double sum = 0;
  for (std::size_t i = 0; i < vectors.rows(); ++i) {
    std::vector<std::pair<double, std::size_t>> ranking;
    for (std::size_t j = 0; j < vectors.rows(); ++j)
      if (j != i) ranking.emplace_back(-inner_product(vectors.row(i), vectors.row(j)), j);
    std::sort(ranking.begin(), ranking.end());
    std::size_t relevant = 0, right = 0;
    for (const auto& [score, j] : ranking) relevant += j % groups == i % groups ? 1 : 0;
    for (std::size_t r = 0; r < relevant; ++r) right += ranking[r].second % groups == i % groups ? 1 : 0;
    sum += static_cast<double>(right) / static_cast<double>(relevant);
  }
  return sum / static_cast<double>(vectors.rows());
}

}  // namespace fixture
