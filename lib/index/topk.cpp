#include "lib/index/topk.hpp"

#include <algorithm>
#include <cmath>

#include "lib/index/scan_kernels.hpp"

namespace cbir {

void TopK::offer(const Hit& hit) {
  if (k_ == 0) return;
  if (heap_.size() < k_) {
    heap_.push_back(hit);
    if (heap_.size() == k_) std::make_heap(heap_.begin(), heap_.end(), ranks_before);
  } else if (ranks_before(hit, heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end(), ranks_before);
    heap_.back() = hit;
    std::push_heap(heap_.begin(), heap_.end(), ranks_before);
  }
}

void TopK::offer(const float* scores, std::size_t count, std::uint64_t first_id) {
  offer(scores, count, first_id, RowMask{}, 0);
}

void TopK::offer(const float* scores, std::size_t count, std::uint64_t first_id, const RowMask& mask,
                 std::size_t first_row) {
  if (k_ == 0) return;
  std::size_t i = 0;
  for (; i < count && heap_.size() < k_; ++i)
    if (mask[first_row + i])
      offer(Hit{first_id + i, std::isnan(scores[i]) ? -std::numeric_limits<float>::infinity() : scores[i]});
  if (heap_.size() < k_) return;
  // Scores that equal the threshold count: they win if their id is lower.
  while ((i = first_at_least(scores, i, count, heap_.front().score)) < count) {
    if (mask[first_row + i]) offer(Hit{first_id + i, scores[i]});
    ++i;
  }
}

std::vector<Hit> TopK::take() {
  std::sort(heap_.begin(), heap_.end(), ranks_before);
  return std::move(heap_);
}

}  // namespace cbir
