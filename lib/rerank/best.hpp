#pragma once
/// The k best of scores.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace cbir {

struct ScoredRow {
  float score = 0;
  std::uint32_t row = 0;

  /// Whether this ranks before the other: by score descending, then by row. Of a heap, the front is the worst.
  bool operator<(const ScoredRow& other) const { return score != other.score ? score > other.score : row < other.row; }
};

class BestRows {
 public:
  explicit BestRows(std::size_t k) : k_(k) {}

  /// What does not exceed it need not be offered.
  float threshold() const { return kept_.size() == k_ ? worst() : -std::numeric_limits<float>::infinity(); }

  /// Of rows in ascending order: one with a score that is there already ranks behind.
  void offer(float score, std::uint32_t row) {
    if (score > threshold() || kept_.size() < k_) offer_any(score, row);
  }

  /// Of rows in any order.
  void offer_any(float score, std::uint32_t row) {
    if (k_ == 0) return;
    if (kept_.size() == k_) {
      if (!(ScoredRow{score, row} < kept_.front())) return;
      std::pop_heap(kept_.begin(), kept_.end());
      kept_.back() = {score, row};
    } else {
      kept_.push_back({score, row});
    }
    std::push_heap(kept_.begin(), kept_.end());
  }

  /// In ranking order; leaves nothing behind.
  std::vector<ScoredRow> take() {
    std::sort_heap(kept_.begin(), kept_.end());
    return std::exchange(kept_, {});
  }

 private:
  float worst() const { return k_ == 0 ? std::numeric_limits<float>::infinity() : kept_.front().score; }

  std::size_t k_;
  std::vector<ScoredRow> kept_;
};

}  // namespace cbir
