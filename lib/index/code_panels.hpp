#pragma once
/// Vectors as panels of 8-bit codes with what bounds of their scores are made of; the proof is in flat_search.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/flat_kernels.hpp"

namespace cbir {

inline std::size_t panels_of(std::size_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
inline std::size_t factor_kinds(Metric metric) { return metric == Metric::l2 ? 4 : 3; }

/// The norm of scale * codes.
double coded_length(std::span<const std::int8_t> codes, float scale);

/// Writes a vector as row i of a panel that begins at `codes` and `factors`; `scratch` has room for its codes.
void write_code_row(std::span<const float> vector, std::size_t i, Metric metric, std::span<std::int8_t> scratch,
                    std::uint8_t* codes, float* factors);

/// Panels in memory, as many bytes as the vectors have numbers.
class OwnedCodePanels {
 public:
  /// Vectors are padded to a multiple of kVectorPadding, kMaxCodeDim at most.
  OwnedCodePanels(MatrixView<const float> vectors, Metric metric);

  CodePanels view() const noexcept;

 private:
  std::vector<std::uint8_t> codes_;
  std::vector<float> factors_;
  std::size_t dim_, kinds_;
};

}  // namespace cbir
