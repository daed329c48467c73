#include "vision_transformer.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <utility>

namespace cbir::nets {
namespace {

/// The convolution whose stride is its size, as a product of matrices: a row of numbers is a patch, row by row of
/// pixels, as `patches` makes them.
LinearSpec as_linear(const TokensSpec& tokens) {
  return {tokens.weight.permute({0, 2, 3, 1}).reshape({tokens.weight.size(0), -1}), tokens.bias};
}

at::Tensor patches(const at::Tensor& pictures, std::int64_t patch) {
  const std::int64_t n = pictures.size(0), rows = pictures.size(2) / patch, columns = pictures.size(3) / patch;
  return pictures.permute({0, 2, 3, 1})
      .contiguous()
      .view({n, rows, patch, columns, patch * 3})
      .transpose(2, 3)
      .reshape({n, rows * columns, patch * patch * 3});
}

}  // namespace

VisionTransformer::VisionTransformer(const TokensSpec& tokens, Transformer blocks, const Settings& settings)
    : patch_(tokens.weight.size(2)),
      embed_(as_linear(tokens), settings.precision, settings.device),
      first_((tokens.class_token + tokens.positions[0]).to(settings.device)),
      positions_(tokens.positions.narrow(0, 1, tokens.positions.size(0) - 1).to(settings.device)),
      norm_(tokens.norm),
      blocks_(std::move(blocks)) {}

at::Tensor VisionTransformer::operator()(const at::Tensor& pictures) const {
  const at::Tensor embedded = embed_(patches(pictures, patch_));
  const std::int64_t n = embedded.size(0), count = embedded.size(1);
  at::Tensor tokens = at::empty({n, 1 + count, first_.size(0)}, first_.options());
  tokens.select(1, 0).copy_(first_);
  at::Tensor others = tokens.narrow(1, 1, count);
  at::add_out(others, embedded, positions_);
  if (norm_) tokens = (*norm_)(tokens);
  return blocks_(tokens, at::zeros({n}, tokens.options().dtype(at::kLong)));
}

}  // namespace cbir::nets
