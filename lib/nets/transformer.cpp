#include "transformer.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cmath>
#include <limits>

#include "attention.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kHeadWidth = 64;

LinearSpec take_linear(Parameters& parameters, const std::string& weight, const std::string& bias, std::int64_t out,
                       std::int64_t in) {
  LinearSpec linear;
  linear.weight = parameters.take(weight, {out, in});
  linear.bias = parameters.take(bias, {out});
  return linear;
}

/// linear(norm(x)) where the norm has neither weight nor bias.
void fold_norm(const at::Tensor& weight, const at::Tensor& bias, LinearSpec& linear) {
  const at::Tensor shift = linear.weight.mv(bias);
  linear.bias = linear.bias.defined() ? linear.bias + shift : shift;
  linear.weight = linear.weight * weight;
}

/// Layer scale: each output has a factor.
void fold_scale(const at::Tensor& scale, LinearSpec& linear) {
  linear.weight = linear.weight * scale.unsqueeze(1);
  linear.bias = linear.bias * scale;
}

LinearSpec take_qkv(const std::string& prefix, const BlockNames& names, std::int64_t width, Parameters& parameters) {
  const std::int64_t out = 3 * width / static_cast<std::int64_t>(names.qkv.size());
  std::vector<at::Tensor> weights, biases;
  for (const auto& [weight, bias] : names.qkv) {
    const LinearSpec part = take_linear(parameters, prefix + weight, prefix + bias, out, width);
    weights.push_back(part.weight);
    biases.push_back(part.bias);
  }
  LinearSpec all{at::cat(weights), at::cat(biases)};
  // q is divided by the square root of a head's width, once and for all.
  all.weight.narrow(0, 0, width).div_(std::sqrt(static_cast<double>(kHeadWidth)));
  all.bias.narrow(0, 0, width).div_(std::sqrt(static_cast<double>(kHeadWidth)));
  return all;
}

/// Layer norm without weight and bias, in float32 within. (LibTorch 1.13's own for bfloat16 takes ten times as long.)
at::Tensor normalise(const at::Tensor& x, double epsilon) {
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, epsilon).to(x.scalar_type());
}

/// Of n x tokens x width the tokens `wanted`: n x 1 x width.
at::Tensor pick(const at::Tensor& x, const at::Tensor& wanted) {
  return x.gather(1, wanted.view({-1, 1, 1}).expand({x.size(0), 1, x.size(2)}));
}

}  // namespace

LayerNorm LayerNorm::take(Parameters& parameters, const std::string& name, std::int64_t width, double epsilon,
                          const Settings& settings) {
  return {parameters.take(name + ".weight", {width}).to(settings.device),
          parameters.take(name + ".bias", {width}).to(settings.device), epsilon};
}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x.to(at::kFloat), {x.size(-1)}, weight, bias, epsilon);
}

Head::Head(const LayerNorm& norm, LinearSpec linear, const Settings& settings)
    : epsilon_(norm.epsilon), linear_([&] {
        fold_norm(norm.weight.to(c10::kCPU), norm.bias.to(c10::kCPU), linear);
        return Linear(linear, Precision::float32, settings.device);
      }()) {}

at::Tensor Head::operator()(const at::Tensor& x) const { return linear_(normalise(x.to(at::kFloat), epsilon_)); }

Transformer::Transformer(const TransformerSpec& spec, Parameters& parameters, const Settings& settings)
    : spec_(spec), type_(scalar_type(settings.precision)) {
  for (std::int64_t i = 0; i < spec.layers; ++i)
    blocks_.push_back(load_block(spec.blocks + "." + std::to_string(i) + ".", parameters, settings));
}

Transformer::Block Transformer::load_block(const std::string& prefix, Parameters& parameters,
                                           const Settings& settings) const {
  const BlockNames& names = spec_.names;
  const std::int64_t width = spec_.width;
  const auto vector = [&](const std::string& name) { return parameters.take(prefix + name, {width}); };
  const auto linear = [&](const std::string& name, std::int64_t out, std::int64_t in) {
    return take_linear(parameters, prefix + name + ".weight", prefix + name + ".bias", out, in);
  };
  const auto made = [&](const LinearSpec& part) { return Linear(part, settings.precision, settings.device); };

  LinearSpec qkv = take_qkv(prefix, names, width, parameters);
  fold_norm(vector(names.attention_norm + ".weight"), vector(names.attention_norm + ".bias"), qkv);
  LinearSpec project = linear(names.attention_projection, width, width);
  if (!names.attention_scale.empty()) fold_scale(vector(names.attention_scale), project);
  LinearSpec expand = linear(names.mlp_expand, 4 * width, width);
  fold_norm(vector(names.mlp_norm + ".weight"), vector(names.mlp_norm + ".bias"), expand);
  expand.activation = spec_.activation;
  LinearSpec contract = linear(names.mlp_contract, width, 4 * width);
  if (!names.mlp_scale.empty()) fold_scale(vector(names.mlp_scale), contract);
  return {made(qkv), made(project), made(expand), made(contract)};
}

at::Tensor Transformer::run(const Block& block, const at::Tensor& x, const at::Tensor& mask,
                            const at::Tensor& wanted) const {
  const std::int64_t width = spec_.width;
  const at::Tensor qkv = block.qkv(normalise(x, spec_.epsilon));
  at::Tensor q = qkv.narrow(2, 0, width), y = x;
  if (wanted.defined()) {
    q = pick(q, wanted);
    y = pick(y, wanted);
  }
  const at::Tensor seen =
      attention(q, qkv.narrow(2, width, width), qkv.narrow(2, 2 * width, width), width / kHeadWidth, mask);
  y = block.project(seen, y);
  return block.contract(block.expand(normalise(y, spec_.epsilon)), y);
}

at::Tensor Transformer::operator()(const at::Tensor& x, const at::Tensor& wanted) const {
  const std::int64_t tokens = x.size(1);
  at::Tensor y = x.to(type_), mask, last_mask;
  if (spec_.causal) {
    const auto options = x.options().dtype(at::kFloat);
    mask = at::full({tokens, tokens}, -std::numeric_limits<double>::infinity(), options).triu_(1);
    last_mask = mask.index_select(0, wanted).unsqueeze(1);
    mask = mask.unsqueeze(0);
  }
  for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) y = run(blocks_[i], y, mask, {});
  return run(blocks_.back(), y, last_mask, wanted).squeeze(1);
}

}  // namespace cbir::nets
