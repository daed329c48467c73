#pragma once
/// Transformers whose blocks normalise first, as vision transformers and CLIP's text tower have them.

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <vector>

#include "linear.hpp"
#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// What a checkpoint calls the parts of a block, behind the block's own name.
struct BlockNames {
  std::string attention_norm;
  std::vector<std::array<std::string, 2>> qkv;  ///< weight and bias of all three, or of each
  std::string attention_projection;
  std::string attention_scale;  ///< layer scale (Touvron et al., 2021); empty: none
  std::string mlp_norm, mlp_expand, mlp_contract;
  std::string mlp_scale;
};

struct TransformerSpec {
  std::string blocks;  ///< name of the list of blocks: "transformer.resblocks"
  BlockNames names;
  std::int64_t width = 0, layers = 0;
  Activation activation = Activation::gelu;
  double epsilon = 1e-5;  ///< of layer norm
  bool causal = false;    ///< a token sees only those before it
};

/// Layer norm over the last dimension, in float32 whatever comes in.
struct LayerNorm {
  at::Tensor weight, bias;
  double epsilon = 1e-5;

  static LayerNorm take(Parameters& parameters, const std::string& name, std::int64_t width, double epsilon,
                        const Settings& settings);
  at::Tensor operator()(const at::Tensor& x) const;
};

/// A linear layer behind a layer norm, both in float32: what makes embeddings of the last tokens. The norm's weight and
/// bias become part of the layer's.
class Head {
 public:
  Head(const LayerNorm& norm, LinearSpec linear, const Settings& settings);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  double epsilon_;
  Linear linear_;
};

/// The blocks. Attention has heads of 64 numbers. Copies share the weights; each copy is for one thread at a time.
class Transformer {
 public:
  Transformer(const TransformerSpec& spec, Parameters& parameters, const Settings& settings);

  /// `x` is n x tokens x width, of any floating-point type; it may be overwritten. Returns what becomes of one token of
  /// each, n x width: that which `wanted` (n, int64) says. The last block is computed for these tokens alone.
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& wanted) const;

 private:
  struct Block {
    Linear qkv, project, expand, contract;
  };
  Block load_block(const std::string& prefix, Parameters& parameters, const Settings& settings) const;
  at::Tensor run(const Block& block, const at::Tensor& x, const at::Tensor& mask, const at::Tensor& wanted) const;

  TransformerSpec spec_;
  at::ScalarType type_;
  std::vector<Block> blocks_;
};

}  // namespace cbir::nets
