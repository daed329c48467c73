#pragma once
/// find_passing in plain loops: what every instruction set with fused multiply-add must equal, and the code that runs
/// where there is no vector unit to use.

#include <array>
#include <cmath>
#include <cstring>

#include "lib/index/flat_kernels.hpp"

namespace cbir::reference {

inline bool passes(const CodePanels& panels, std::size_t row, const CodeQueries& queries, std::size_t q) {
  const std::size_t panel = row / kPanelRows, in_panel = row % kPanelRows, tile = q / kTileQueries;
  std::int32_t sum = queries.start[q];
  for (std::size_t g = 0; g < queries.groups; ++g) {
    const std::uint8_t* codes =
        panels.codes + panel * panels.dim * kPanelRows + (g * kPanelRows + in_panel) * kCodeGroup;
    std::array<std::int8_t, kCodeGroup> query{};
    std::memcpy(query.data(), &queries.codes[(tile * queries.groups + g) * kTileQueries + q % kTileQueries],
                kCodeGroup);
    for (std::size_t i = 0; i < kCodeGroup; ++i) sum += codes[i] * query[i];
  }
  const auto factor = [&](RowFactor kind) {
    return panels.factors[(panel * panels.factor_kinds + static_cast<std::size_t>(kind)) * kPanelRows + in_panel];
  };
  const float margin = std::fma(queries.doubt[tile], factor(RowFactor::length), factor(RowFactor::residual));
  const float constant = queries.square_weight == 0 ? 0 : queries.square_weight * factor(RowFactor::square);
  const float product = static_cast<float>(sum) * factor(RowFactor::scale);
  return std::fma(queries.slope[q], product, std::fma(queries.width[q], margin, constant)) >= queries.threshold[q];
}

inline void find_passing(const CodePanels& panels, std::span<const std::uint32_t> which, const CodeQueries& queries,
                         std::vector<Passing>& out) {
  for (std::size_t q = 0; q < queries.count; ++q) {
    for (const std::uint32_t panel : which) {
      std::uint32_t rows = 0;
      for (std::size_t i = 0; i < kPanelRows; ++i)
        if (passes(panels, panel * kPanelRows + i, queries, q)) rows |= 1U << i;
      if (rows != 0) out.push_back({static_cast<std::uint32_t>(q), panel, rows});
    }
  }
}

}  // namespace cbir::reference
