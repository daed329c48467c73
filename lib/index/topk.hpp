#pragma once
/// The k best of a stream of scores, whatever order it comes in.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <cbir/index/index.hpp>

#include "lib/index/row_mask.hpp"

namespace cbir {

/// The order of a ranking: score descending, then id ascending. Total as long as no score is NaN.
inline bool ranks_before(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; }

/// Keeps the k best hits seen. Memory: at most k hits.
class TopK {
 public:
  explicit TopK(std::size_t k) : k_(k) {}

  /// Offers scores[i] under the id first_id + i. NaN, which only a damaged vector gives, ranks last.
  void offer(const float* scores, std::size_t count, std::uint64_t first_id);
  /// As above, but for rows first_row + i that the mask does not let pass.
  void offer(const float* scores, std::size_t count, std::uint64_t first_id, const RowMask& mask,
             std::size_t first_row);
  void offer(const Hit& hit);

  /// The hits in ranking order; leaves the collector empty.
  std::vector<Hit> take();
  const std::vector<Hit>& hits() const noexcept { return heap_; }

  std::size_t capacity() const noexcept { return k_; }
  bool full() const noexcept { return heap_.size() >= k_; }
  /// Scores below it cannot come in any more (one that equals it does if its id is lower): minus infinity until k are
  /// there.
  float threshold() const noexcept {
    return full() && k_ > 0 ? heap_.front().score : -std::numeric_limits<float>::infinity();
  }

 private:
  std::size_t k_;
  std::vector<Hit> heap_;  ///< once it holds k: a heap whose front ranks last
};

}  // namespace cbir
