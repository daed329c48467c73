#include "lib/dedup/row_codes.hpp"

#include <cmath>
#include <span>

#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/code_panels.hpp"
#include "lib/index/int8_kernels.hpp"

namespace cbir {
namespace {

constexpr double kUp = 1 + 0x1p-40;  // more than sums in binary64 are off by

}  // namespace

RowCodes::RowCodes(MatrixView<const float> rows, Metric metric)
    : dim_(rows.cols),
      codes_a_row_(padded_codes(rows.cols)),
      metric_(metric),
      codes_(rows.rows * codes_a_row_),
      factors_(rows.rows) {
  parallel_blocks(rows.rows, 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const auto codes = std::span(codes_).subspan(i * codes_a_row_, dim_);
      const Int8Row row = quantize_int8(rows.row(i), codes);
      factors_[i] = {.scale = row.scale,
                     .residual = row.residual,
                     .length = coded_length(codes, row.scale) * kUp,
                     .norm = norm(rows.row(i)) * kUp};
    }
  });
}

void RowCodes::keep_possible(const RowCodes& queries, std::size_t query, float threshold,
                             std::vector<std::uint32_t>& rows) const {
  const Factors& q = queries.factors_[query];
  const double rounding = static_cast<double>(dim_ / kVectorPadding + 32) * 0x1p-24;  // G, more than 2 g
  const double least = static_cast<double>(threshold) - 0x1p-100 * (1 + q.norm);
  std::vector<std::int32_t> products(rows.size());
  int8_products({&queries.codes_[query * codes_a_row_], codes_a_row_}, {codes_.data(), codes_a_row_}, rows,
                products.data());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Factors& x = factors_[rows[i]];
    double bound = q.scale * x.scale * products[i] + q.residual * x.length + q.norm * x.residual +
                   rounding * q.norm * (x.length + x.residual);
    if (metric_ == Metric::l2) bound = 2 * bound - (1 - 2 * rounding) * (q.norm * q.norm + x.norm * x.norm);
    if (bound >= least) rows[kept++] = rows[i];
  }
  rows.resize(kept);
}

}  // namespace cbir
