#pragma once
/// Whole rows as 8-bit codes, compared one by one.

#include <cstdint>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/int8.hpp"

namespace cbir {

class RowCodes {
 public:
  /// The rows are padded, of kMaxCodes numbers at most.
  RowCodes(MatrixView<const float> rows, Metric metric);

  /// Leaves of `rows`, which are rows of these, those whose exact score with row `query` of `queries` may reach the
  /// threshold. The bounds are (1) and (2) of lib/index/flat_search.hpp, in binary64.
  void keep_possible(const RowCodes& queries, std::size_t query, float threshold,
                     std::vector<std::uint32_t>& rows) const;

 private:
  struct Factors {
    double scale, residual, length, norm;  // length: of scale * codes
  };

  std::size_t dim_, codes_a_row_;
  Metric metric_;
  std::vector<std::int8_t> codes_;
  std::vector<Factors> factors_;
};

}  // namespace cbir
