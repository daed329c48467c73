#pragma once
/// The k best of a stream of scores, whatever order it comes in.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <cbir/index/index.hpp>

namespace cbir {

/// The order of a ranking: score descending, then id ascending. Total as long as no score is NaN.
inline bool ranks_before(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; }

/// Keeps the k best hits seen. Memory: at most k hits.
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) {}

  /// Offers scores[i] under the id first_id + i. NaN, which only a damaged vector gives, ranks last.
  void offer(const float* scores, std::size_t count, std::uint64_t first_id);
  void offer(const Hit& hit);

  /// The hits in ranking order; leaves the collector empty.
  std::vector<Hit> take();
  const std::vector<Hit>& hits() const noexcept { return heap_; }

 private:
  std::size_t k_;
  std::vector<Hit> heap_;  ///< once it holds k: a heap whose front ranks last
};

}  // namespace cbir
