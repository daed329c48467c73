#pragma once
/// The walk through a graph towards a query, in steps, so that a thread can take several walks in turns: each step ends
/// by fetching the memory that the next one will read.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/index/hnsw_layout.hpp"
#include "lib/index/row_mask.hpp"

namespace cbir {

/// A query in the space of the graph.
struct GraphQuery {
  std::span<const std::int8_t> codes;
  float scale = 0;
  /// Of NodeTail::half_norm in a score: 1 ranks by distance, 0 by inner product.
  float norm_weight = 0;
};

/// A row and about how well it fits: query times vector, less norm_weight * half_norm.
struct Scored {
  float score = 0;
  std::uint32_t row = 0;
};

/// The best rows of those offered, in order, and which of them were looked at.
class RowPool {
 public:
  void reset(std::size_t capacity);
  /// Whether it is among the best. A row is offered once. NaN is not taken.
  bool offer(float score, std::uint32_t row);
  bool full() const noexcept { return rows_.size() >= capacity_; }
  bool takes(float score) const noexcept { return full() ? score > rows_.back().score : score == score; }
  /// The best one that was not given out before; false if there is none.
  bool next(std::uint32_t& row);
  std::span<const Scored> rows() const noexcept { return rows_; }

 private:
  std::size_t capacity_ = 0, cursor_ = 0;  ///< all before the cursor were given out
  std::vector<Scored> rows_;
  std::vector<std::uint8_t> given_;
};

/// A set of rows; memory by what is in it and not by what could be.
class RowSet {
 public:
  RowSet();
  void clear();
  /// Whether the row is new.
  bool insert(std::uint32_t row);

 private:
  void grow();

  std::size_t size_ = 0;
  int shift_ = 0;
  std::vector<std::uint32_t> slots_;  ///< open addressing; a power of two
};

class GraphWalk {
 public:
  static constexpr std::uint32_t kNoRow = ~std::uint32_t{0};

  /// Finds the ef best rows of the mask. Stops early, having given up, when it has compared more than `limit` rows.
  /// `hidden`: a row that it must do without.
  void start(const Graph& graph, const GraphQuery& query, std::size_t ef, const RowMask& mask, std::size_t limit,
             std::uint32_t hidden = kNoRow);
  /// False when the walk is at its end. Throws DamagedFile.
  bool step();
  /// The best ones, in order; of a row that has copies, the first one stands for all.
  std::span<const Scored> found() const noexcept { return pool_.rows(); }
  std::uint64_t compared() const noexcept { return compared_; }
  bool gave_up() const noexcept { return compared_ > limit_; }

 private:
  float score(std::int32_t product, std::uint32_t row) const;
  void compare();
  void descend();
  void offer(float score, std::uint32_t row);
  bool choose();
  void expand();
  bool passes(std::uint32_t row) const;

  const Graph* graph_ = nullptr;
  GraphQuery query_;
  RowMask mask_;
  std::size_t limit_ = 0;
  std::uint32_t hidden_ = kNoRow;
  std::uint64_t compared_ = 0;
  bool chosen_ = false;
  std::uint32_t current_ = 0;
  RowPool pool_;                  ///< with a mask: rows that pass, else also where to go
  std::vector<Scored> frontier_;  ///< with a mask: a heap of where to go
  RowSet seen_;
  std::vector<std::uint32_t> pending_;  ///< rows to be compared in the next step
  std::vector<std::int32_t> products_;
};

}  // namespace cbir
