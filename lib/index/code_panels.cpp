#include "lib/index/code_panels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <cbir/base/parallel.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/int8.hpp"

namespace cbir {
namespace {

float rounded_up(double x) {
  return x == 0 ? 0 : std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}
float rounded_down(double x) { return x == 0 ? 0 : std::nextafter(static_cast<float>(x), 0.0F); }

}  // namespace

double coded_length(std::span<const std::int8_t> codes, float scale) {
  std::int64_t sum = 0;
  for (const int code : codes) sum += code * code;
  return std::sqrt(static_cast<double>(sum)) * static_cast<double>(scale);
}

void write_code_row(std::span<const float> vector, std::size_t i, Metric metric, std::span<std::int8_t> scratch,
                    std::uint8_t* codes, float* factors) {
  constexpr double kUp = 1 + 0x1p-40, kDown = 1 - 0x1p-30;  // more than sums in binary64 are off by
  const Int8Row row = quantize_int8(vector, scratch);
  for (std::size_t d = 0; d < vector.size(); ++d)
    codes[(d / kCodeGroup * kPanelRows + i) * kCodeGroup + d % kCodeGroup] =
        static_cast<std::uint8_t>(scratch[d] + kCodeOffset);
  const auto set = [&](RowFactor kind, float value) {
    factors[static_cast<std::size_t>(kind) * kPanelRows + i] = value;
  };
  set(RowFactor::scale, row.scale);
  set(RowFactor::residual, row.residual);
  set(RowFactor::length, rounded_up(coded_length(scratch, row.scale) * kUp));
  if (metric == Metric::l2) set(RowFactor::square, rounded_down(squared_norm(vector) * kDown));
}

OwnedCodePanels::OwnedCodePanels(MatrixView<const float> vectors, Metric metric)
    : dim_(vectors.cols), kinds_(factor_kinds(metric)) {
  const std::size_t panels = panels_of(vectors.rows);
  codes_.resize(panels * kPanelRows * dim_);
  factors_.resize(panels * kPanelRows * kinds_);
  parallel_blocks(panels, 1, [&](std::size_t panel, std::size_t) {
    std::vector<std::int8_t> scratch(dim_);
    std::uint8_t* codes = codes_.data() + panel * kPanelRows * dim_;
    std::fill_n(codes, kPanelRows * dim_, std::uint8_t{kCodeOffset});
    for (std::size_t row = panel * kPanelRows; row < std::min(vectors.rows, (panel + 1) * kPanelRows); ++row)
      write_code_row(vectors.row(row), row % kPanelRows, metric, scratch, codes,
                     factors_.data() + panel * kPanelRows * kinds_);
  });
}

CodePanels OwnedCodePanels::view() const noexcept {
  return {.codes = codes_.data(), .factors = factors_.data(), .dim = dim_, .factor_kinds = kinds_};
}

}  // namespace cbir
