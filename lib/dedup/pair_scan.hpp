#pragma once
/// All pairs of rows that score a threshold or more, none missed.
///
/// A first pass compares short codes of all pairs: those of sketches (sketch.hpp) where the rows' lengths lie in few
/// directions, else those of the rows themselves. What may reach the threshold by their bounds is compared by whole
/// codes, one by one, and what may still, by the exact kernels, which alone decide.

#include <cstdint>
#include <functional>
#include <span>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

namespace cbir {

enum class FirstPass {
  automatic,  ///< whichever costs least for a sample of the rows
  none,       ///< every pair is scored by the exact kernels
  codes,      ///< of whole rows
  sketches
};

/// Rows that reach the threshold with a query, and their scores. Rows ascend, from call to call too; what has one query
/// comes from one thread.
struct FoundRows {
  std::uint32_t query = 0;
  std::span<const std::uint32_t> rows;
  std::span<const float> scores;
};
using FoundSink = std::function<void(const FoundRows&)>;
/// Called from one thread at a time.
using PairProgress = std::function<void(std::uint64_t done, std::uint64_t pairs)>;

/// Calls sink, from several threads, with what reaches the threshold: for every query among all rows; or, if `queries`
/// are the very `rows`, among those after it. Both are padded (scan.hpp), finite, and no longer than kMaxNorm. Scores
/// are those of scan.hpp; the metric is cosine, of normalised rows, or l2.
void scan_pairs(MatrixView<const float> queries, MatrixView<const float> rows, Metric metric, float threshold,
                const FoundSink& sink, const PairProgress& progress = {}, FirstPass pass = FirstPass::automatic);

}  // namespace cbir
