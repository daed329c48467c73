#pragma once
/// Deformable convolution: Dai et al., "Deformable Convolutional Networks" (ICCV 2017), as
/// torchvision.ops.deform_conv2d.

#include <ATen/core/Tensor.h>

#include "../conv.hpp"
#include "../linear.hpp"

namespace cbir::nets {

/// The weights of a convolution, out x in x height x width, as a product of matrices over pixels in channels-last order
/// wants them: out x (height, width, in).
at::Tensor by_place(const at::Tensor& weight);

/// A 3 x 3 convolution of stride 1 whose nine pixels are moved, everywhere else, by what another convolution says: by a
/// quarter of the picture's longer side at most. Copies share the weights; each copy is for one thread at a time.
class DeformableConv {
 public:
  /// `offsets` gives 18 channels: y and x of each place. `sum` has the weights.
  DeformableConv(const ConvSpec& offsets, const ConvSpec& sum);

  /// `x` is 1 x in x height x width in channels-last order. `residual`, if defined, has the result's shape, and may be
  /// overwritten and returned.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& residual) const;

 private:
  Conv offsets_;
  Linear sum_;
};

}  // namespace cbir::nets
