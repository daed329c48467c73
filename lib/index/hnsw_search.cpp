#include "lib/index/hnsw_search.hpp"

#include <algorithm>
#include <bit>

namespace cbir {
namespace {

constexpr std::uint32_t kNone = ~std::uint32_t{0};  // in a set
constexpr std::size_t kFewSlots = 2048;
constexpr std::size_t kFetchedLines = 12;  // of a node's codes: what follows the hardware sees by itself

bool worse(const Scored& a, const Scored& b) { return a.score < b.score; }

void prefetch(const void* address) { __builtin_prefetch(address); }

}  // namespace

void RowPool::reset(std::size_t capacity) {
  capacity_ = capacity;
  cursor_ = 0;
  rows_.clear();
  given_.clear();
}

bool RowPool::offer(float score, std::uint32_t row) {
  if (!takes(score)) return false;
  const auto place = std::upper_bound(rows_.begin(), rows_.end(), score,
                                      [](float value, const Scored& other) { return value > other.score; });
  const std::ptrdiff_t at = place - rows_.begin();
  if (full()) {
    rows_.pop_back();
    given_.pop_back();
  }
  rows_.insert(rows_.begin() + at, {score, row});
  given_.insert(given_.begin() + at, 0);
  cursor_ = std::min(cursor_, static_cast<std::size_t>(at));
  return true;
}

bool RowPool::next(std::uint32_t& row) {
  while (cursor_ < rows_.size() && given_[cursor_] != 0) ++cursor_;
  if (cursor_ == rows_.size()) return false;
  given_[cursor_] = 1;
  row = rows_[cursor_++].row;
  return true;
}

RowSet::RowSet() : shift_(32 - std::countr_zero(kFewSlots)), slots_(kFewSlots, kNone) {}

void RowSet::clear() {
  std::fill(slots_.begin(), slots_.end(), kNone);
  size_ = 0;
}

bool RowSet::insert(std::uint32_t row) {
  constexpr std::uint32_t kGoldenRatio = 0x9E3779B1;
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = (row * kGoldenRatio) >> shift_;
  while (slots_[slot] != kNone) {
    if (slots_[slot] == row) return false;
    slot = (slot + 1) & mask;
  }
  slots_[slot] = row;
  if (++size_ * 2 > slots_.size()) grow();
  return true;
}

void RowSet::grow() {
  std::vector<std::uint32_t> old(slots_.size() * 2, kNone);
  old.swap(slots_);
  --shift_;
  size_ = 0;
  for (const std::uint32_t row : old)
    if (row != kNone) insert(row);
}

void GraphWalk::start(const Graph& graph, const GraphQuery& query, std::size_t ef, const RowMask& mask,
                      std::size_t limit, std::uint32_t hidden) {
  graph_ = &graph;
  query_ = query;
  mask_ = mask;
  limit_ = limit;
  hidden_ = hidden;
  compared_ = 0;
  chosen_ = false;
  pool_.reset(ef);
  frontier_.clear();
  seen_.clear();
  if (hidden != kNoRow) seen_.insert(hidden);
  pending_.clear();
  descend();
}

float GraphWalk::score(std::int32_t product, std::uint32_t row) const {
  const NodeTail& tail = graph_->tail(row);
  return query_.scale * tail.scale * static_cast<float>(product) - query_.norm_weight * tail.half_norm;
}

/// Products of the query and all pending rows.
void GraphWalk::compare() {
  products_.resize(pending_.size());
  int8_products(query_.codes, graph_->codes(), pending_, products_.data());
  compared_ += pending_.size();
}

/// On the upper levels, from neighbour to better neighbour; what is reached is where the lowest level is entered.
void GraphWalk::descend() {
  std::uint32_t at = graph_->entry();
  if (graph_->levels() > 0) {
    pending_.assign(1, graph_->record(graph_->levels(), at).row);
    compare();
    float best = score(products_[0], pending_[0]);
    for (std::size_t level = graph_->levels(); level > 0; --level) {
      for (bool moved = true; moved;) {
        moved = false;
        const Graph::Record here = graph_->record(level, at);
        pending_.clear();
        for (const std::uint32_t link : here.links) {
          pending_.push_back(graph_->record(level, link).row);
          prefetch(graph_->node(pending_.back()));
          prefetch(&graph_->tail(pending_.back()));
        }
        compare();
        for (std::size_t i = 0; i < pending_.size(); ++i) {
          const float found = score(products_[i], pending_[i]);
          if (!(found > best) || pending_[i] == hidden_) continue;
          best = found;
          at = here.links[i];
          moved = true;
        }
      }
      const Graph::Record here = graph_->record(level, at);
      at = level > 1 ? here.below : here.row;
    }
  }
  pending_.assign(1, at);
  seen_.insert(at);
}

bool GraphWalk::step() {
  if (!chosen_) {
    compare();
    for (std::size_t i = 0; i < pending_.size(); ++i) offer(score(products_[i], pending_[i]), pending_[i]);
    pending_.clear();
    if (gave_up()) return false;
    chosen_ = choose();
    if (!chosen_) return false;
    const std::byte* tail = reinterpret_cast<const std::byte*>(&graph_->tail(current_));
    for (const std::byte* line = tail; line < graph_->node(current_) + graph_->stride(); line += kNodeLine)
      prefetch(line);
    return true;
  }
  expand();
  return true;
}

void GraphWalk::offer(float score, std::uint32_t row) {
  if (mask_.every()) {
    pool_.offer(score, row);
  } else if (pool_.takes(score)) {
    frontier_.push_back({score, row});
    std::push_heap(frontier_.begin(), frontier_.end(), worse);
    if (passes(row)) pool_.offer(score, row);
  }
}

/// The best row that was not expanded yet becomes the current one; false if none could lead any further.
bool GraphWalk::choose() {
  if (mask_.every()) return pool_.next(current_);
  if (frontier_.empty() || !pool_.takes(frontier_.front().score)) return false;
  current_ = frontier_.front().row;
  std::pop_heap(frontier_.begin(), frontier_.end(), worse);
  frontier_.pop_back();
  return true;
}

/// Neighbours of the current row that were not seen yet become the pending ones.
void GraphWalk::expand() {
  chosen_ = false;
  const std::size_t lines = std::min(graph_->code_count() / kNodeLine, kFetchedLines);
  for (const std::uint32_t link : graph_->links(current_)) {
    if (!seen_.insert(graph_->checked(link, current_))) continue;
    pending_.push_back(link);
    const std::byte* node = graph_->node(link);
    for (std::size_t line = 0; line < lines; ++line) prefetch(node + line * kNodeLine);
    prefetch(&graph_->tail(link));
  }
}

/// Whether a row or a copy of it may be returned.
bool GraphWalk::passes(std::uint32_t row) const {
  if (mask_[row]) return true;
  while ((row = graph_->next_copy(row)) != 0)
    if (mask_[row]) return true;
  return false;
}

}  // namespace cbir
