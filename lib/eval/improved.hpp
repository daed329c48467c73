#pragma once
/// Labels as evaluated over vectors that are centred, whitened or augmented first, with queries that are expanded.

#include <optional>

#include <cbir/eval/collection.hpp>

namespace cbir {

/// As evaluate_collection, of which this is a part. `queries`: nothing if every row asks for all the others; an
/// augmentation is then followed by one of a half of the rows, which the other half asks, and its scores are totals.
Scores evaluate_improved(const CollectionEvaluation& evaluation, const LabelledRows& database,
                         const std::optional<LabelledRows>& queries, const EvaluationProgress& progress);

}  // namespace cbir
