#include "matching.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>

#include "../kernel.hpp"

namespace cbir::nets {

at::Tensor descriptor_rows(const cbir_local_features& features) {
  // Nobody writes to it.
  return at::from_blob(const_cast<float*>(features.descriptors),
                       {static_cast<std::int64_t>(features.count), static_cast<std::int64_t>(features.dim)},
                       at::TensorOptions().dtype(at::kFloat));
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = at::empty({a.size(0), b.size(1)});
  multiply(a, b, out);
  return out;
}

at::Tensor centred(const cbir_local_features& features, double parts) {
  const at::Tensor out = at::empty({static_cast<std::int64_t>(features.count), 2});
  const auto width = static_cast<float>(features.width), height = static_cast<float>(features.height);
  const auto unit = static_cast<float>(static_cast<double>(std::max(width, height)) / parts);
  float* to = out.data_ptr<float>();
  for (std::uint32_t i = 0; i < features.count; ++i) {
    *to++ = (features.keypoints[i].x - width / 2) / unit;
    *to++ = (features.keypoints[i].y - height / 2) / unit;
  }
  return out;
}

std::vector<cbir_local_match> mutual_best(const at::Tensor& scores, float threshold) {
  const auto [best, of_row] = at::max(scores, 1);
  const at::Tensor of_column = std::get<1>(at::max(scores, 0));
  const float* const score = best.data_ptr<float>();
  const auto *const column = of_row.data_ptr<std::int64_t>(), *const row = of_column.data_ptr<std::int64_t>();
  std::vector<cbir_local_match> out;
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    const float likely = std::exp(score[i]);
    if (row[column[i]] == i && likely > threshold)
      out.push_back({.a = static_cast<std::uint32_t>(i), .b = static_cast<std::uint32_t>(column[i]), .score = likely});
  }
  return out;
}

}  // namespace cbir::nets
