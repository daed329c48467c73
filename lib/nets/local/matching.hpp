#pragma once
/// What matchers have in common: features as tensors, and matches out of a table of scores.

#include <ATen/core/Tensor.h>
#include <cbir/local/local_plugin.h>

#include <vector>

namespace cbir::nets {

/// count x dim; a view of the features' own memory.
at::Tensor descriptor_rows(const cbir_local_features& features);

/// a b, where b may be a transposed view; on the calling thread alone.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);

/// Where keypoints lie, count x 2: the distance from the picture's middle, in `parts` of its longer side.
at::Tensor centred(const cbir_local_features& features, double parts);

/// Of logarithms of scores, rows x columns, those that are the highest both of their row and of their column, if the
/// score is above `threshold`. In ascending order of rows.
std::vector<cbir_local_match> mutual_best(const at::Tensor& scores, float threshold);

}  // namespace cbir::nets
