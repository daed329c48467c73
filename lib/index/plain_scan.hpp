#pragma once
/// The exact search that needs no structure: every row is compared in float32.

#include "lib/index/structure.hpp"

namespace cbir {

class PlainScan : public Structure {
 public:
  PlainScan(const Segment& segment, Metric metric) : segment_(segment), metric_(metric) {}

  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override;
  void verify() const override {}

 private:
  Segment segment_;
  Metric metric_;
};

/// scores(q, r) = score of queries.row(q) and rows.row(r).
void score_all_pairs(Metric metric, MatrixView<const float> queries, MatrixView<const float> rows,
                     MatrixView<float> scores);

template <typename T>
MatrixView<T> slice(MatrixView<T> matrix, std::size_t begin, std::size_t end) {
  return {matrix.data + begin * matrix.stride, end - begin, matrix.cols, matrix.stride};
}

}  // namespace cbir
