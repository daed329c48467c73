#pragma once
/// Vision transformers: Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at
/// Scale" (2021).

#include <optional>

#include "transformer.hpp"

namespace cbir::nets {

/// How a picture becomes tokens: the class token and one for each square of patch x patch pixels.
struct TokensSpec {
  at::Tensor weight;              ///< width x 3 x patch x patch
  at::Tensor bias;                ///< width; undefined means zeros
  at::Tensor class_token;         ///< width
  at::Tensor positions;           ///< 1 + rows * columns x width; the class token's first
  std::optional<LayerNorm> norm;  ///< of the tokens, before the first block
};

/// Pictures of one size, n x 3 x side x side, to what the class token has become behind the last block, n x width.
/// Copies share the weights; each copy is for one thread at a time.
class VisionTransformer {
 public:
  VisionTransformer(const TokensSpec& tokens, Transformer blocks, const Settings& settings);
  at::Tensor operator()(const at::Tensor& pictures) const;

 private:
  std::int64_t patch_;
  Linear embed_;
  at::Tensor first_, positions_;  // first_: the class token at its position
  std::optional<LayerNorm> norm_;
  Transformer blocks_;
};

}  // namespace cbir::nets
