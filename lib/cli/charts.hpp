#pragma once
/// Charts as inline SVG, each a <figure> with a caption and its numbers as a table. Kinds differ in more than colour.

#include <string>
#include <vector>

#include <cbir/eval/distribution.hpp>

namespace cbir {

/// A curve as Scores::precision_at has it; all points together are one curve.
struct RecallCurve {
  std::string name;  ///< HTML; empty if there is only one
  std::vector<double> precision_at;
};

/// Precision over recall; at most two curves, the second dashed.
std::string recall_chart(const std::vector<RecallCurve>& curves);

/// Whether there is something to draw, in bins of some width.
bool can_draw(const ScoreDistribution& distribution);

/// How scores of relevant and of irrelevant pairs lie, each as shares of their kind, with suggested cut-offs.
std::string distribution_chart(const ScoreDistribution& distribution);

}  // namespace cbir
