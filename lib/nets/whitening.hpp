#pragma once
/// What networks of cnnimageretrieval-pytorch learned beside their convolutions: GeM's exponent and the whitening of
/// vectors (Radenovic, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", 2018).

#include <optional>

#include "linear.hpp"
#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// pool.p, if the checkpoint has it: else settings.gem_p. It is used where settings.pool is "gem".
double take_exponent(Parameters& parameters, const Settings& settings);

/// The whitening of a checkpoint, if it has one. There are two kinds:
/// - a layer of the network, whiten.weight and whiten.bias, which each scale's vector of length 1 goes through;
/// - matrices that were fitted afterwards, meta.Lw.SET.ss.{m,P}, and ms for several scales, which the average of the
///   scales goes through: P (v - m). Of several training sets retrieval-SfM-120k is taken.
/// The layer goes before the matrices: who trained one needs no other. The project averages the scales of networks
/// without the layer by a power mean with GeM's exponent; here all averages are plain.
class Whitening {
 public:
  /// Throws as Parameters::take() does.
  Whitening(Parameters& parameters, const Settings& settings);

  /// Vectors of one scale, N x D: on their way out of the network.
  at::Tensor of_scale(const at::Tensor& vectors) const;
  /// Vectors averaged over scales.
  at::Tensor of_average(const at::Tensor& vectors) const;

 private:
  std::optional<Linear> layer_;
  at::Tensor mean_;  // 1 x D
  std::optional<Linear> projection_;
};

}  // namespace cbir::nets
