#pragma once
/// What is done to vectors before their directions are compared: the mean is subtracted, and what is left may be
/// projected (whitening).

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/rerank/vectors.hpp>

namespace cbir {

/// y = W (x - mean), brought to length 1. A vector at the mean has no direction: it becomes zero, and scores 0.
class Transform {
 public:
  /// W is the identity.
  explicit Transform(std::vector<float> mean);
  /// `projection`: W, a row an output dimension.
  Transform(std::vector<float> mean, Vectors projection);

  std::size_t dim() const noexcept { return mean_.size(); }  ///< of x
  std::size_t output_dim() const noexcept { return projection_ ? projection_->rows() : dim(); }
  std::span<const float> mean() const noexcept { return mean_; }
  const std::optional<Vectors>& projection() const noexcept { return projection_; }

  /// All rows, in blocks, in parallel; `norms`, if given, gets the lengths that rows had before they were brought to 1.
  Vectors apply(const Vectors& vectors, std::vector<float>* norms = nullptr) const;

  /// W^T y: the inner product of y and W (x - mean) is that of W^T y and x - mean.
  std::vector<float> back(std::span<const float> y) const;

 private:
  std::vector<float> mean_;
  std::optional<Vectors> projection_;
};

/// The mean of rows, each of which `row` gives; summed in double, in order.
std::vector<double> mean_of_rows(std::size_t rows, std::size_t dim,
                                 const std::function<std::span<const float>(std::size_t)>& row);

/// Subtracts the mean of the rows.
Transform centering(const Vectors& vectors);

}  // namespace cbir
