// SuperGlue: Sarlin et al., "SuperGlue: Learning Feature Matching with Graph Neural Networks" (CVPR 2020), with the
// authors' parameter names. Keypoints look, by turns, at those of their own picture and at those of the other; then
// Sinkhorn's algorithm finds the best assignment in which every keypoint has one partner or none.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "../attention.hpp"
#include "../linear.hpp"
#include "../loading.hpp"
#include "matching.hpp"
#include "networks.hpp"

namespace cbir::nets {
namespace {

constexpr std::int64_t kWidth = 256, kHeads = 4;
constexpr double kEpsilon = 1e-5;  // of batch norm
constexpr double kParts = 1 / .7;  // positions are in units of seven tenths of the longer side

/// A convolution of one pixel: a linear layer.
LinearSpec linear(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in) {
  return {parameters.take(name + ".weight", {out, in, 1}).view({out, in}), parameters.take(name + ".bias", {out}),
          Activation::none};
}

/// The same, and batch norm and ReLU after it.
LinearSpec hidden(Parameters& parameters, const std::string& name, const std::string& bn, std::int64_t out,
                  std::int64_t in) {
  const LinearSpec plain = linear(parameters, name, out, in);
  ConvSpec conv;
  conv.weight = plain.weight.view({out, in, 1, 1});
  conv.bias = plain.bias;
  const auto vector = [&](const char* field) { return parameters.take(bn + field, {out}); };
  fold({vector(".weight"), vector(".bias"), vector(".running_mean"), vector(".running_var"), kEpsilon}, conv);
  if (!at::isfinite(conv.weight).all().item<bool>())
    throw Error(ExitCode::damaged, "parameter " + bn + ".running_var makes no sense as a variance");
  return {conv.weight.view({out, in}), conv.bias, Activation::relu};
}

/// Heads lie interleaved in the checkpoint, and side by side here.
at::Tensor by_head(const at::Tensor& x) {
  return x.view({kWidth / kHeads, kHeads, x.numel() / kWidth}).transpose(0, 1).reshape(x.sizes());
}

struct Layer {
  Linear qkv, merge, expand, contract;

  static Layer take(Parameters& parameters, const std::string& name) {
    const double scale = 1 / std::sqrt(static_cast<double>(kWidth / kHeads));
    std::vector<at::Tensor> weights, biases;
    for (const char* part : {".attn.proj.0", ".attn.proj.1", ".attn.proj.2"}) {
      const LinearSpec spec = linear(parameters, name + part, kWidth, kWidth);
      const double factor = weights.empty() ? scale : 1;
      weights.push_back(by_head(spec.weight) * factor);
      biases.push_back(by_head(spec.bias) * factor);
    }
    LinearSpec merge = linear(parameters, name + ".attn.merge", kWidth, kWidth);
    merge.weight = by_head(merge.weight.t().contiguous()).t().contiguous();
    return {.qkv = Linear({at::cat(weights), at::cat(biases), Activation::none}),
            .merge = Linear(merge),
            .expand = Linear(hidden(parameters, name + ".mlp.0", name + ".mlp.1", 2 * kWidth, 2 * kWidth)),
            .contract = Linear(linear(parameters, name + ".mlp.3", kWidth, 2 * kWidth))};
  }
};

/// The sum of a matrix's rows, each times its weight, in order.
void combine(const at::Tensor& matrix, const std::vector<double>& weights, std::vector<double>& out) {
  std::ranges::fill(out, 0.0);
  const double* row = matrix.data_ptr<double>();
  for (const double weight : weights)
    for (double& sum : out) sum += weight * *row++;
}

/// Of scores of pairs the logarithm of how likely each pair is, where every row and column has one partner, or none at
/// the score `alone`; by so many turns of Sinkhorn's algorithm.
at::Tensor assignment(const at::Tensor& scores, double alone, int turns) {
  const std::int64_t m = scores.size(0), n = scores.size(1);
  const auto count = static_cast<double>(m + n);
  const at::Tensor all = at::full({m + 1, n + 1}, alone, at::kDouble);
  all.narrow(0, 0, m).narrow(1, 0, n).copy_(scores);
  // Scaled so that every row has a 1, and the last, being constant, nothing else: no sum below is ever 0. In double
  // precision what is left of a row beside its best pair counts down to exp(-745) of that.
  all.sub_(at::amax(all, {1}, true));
  const at::Tensor by_row = all.exp(), by_column = by_row.t().contiguous();
  const auto own = static_cast<std::size_t>(m), other = static_cast<std::size_t>(n);
  std::vector<double> rows(own + 1), columns(other + 1, 1.0);
  const auto balance = [&](std::vector<double>& sums, std::int64_t others) {
    for (double& sum : sums) sum = 1 / (count * sum);
    sums.back() *= static_cast<double>(others);
  };
  for (int turn = 0; turn < turns; ++turn) {
    combine(by_column, columns, rows);
    balance(rows, n);
    combine(by_row, rows, columns);
    balance(columns, m);
  }
  const auto logarithms = [](const std::vector<double>& x, std::int64_t size) {
    const at::Tensor out = at::empty({size}, at::kDouble);
    for (std::int64_t i = 0; i < size; ++i) out.data_ptr<double>()[i] = std::log(x[static_cast<std::size_t>(i)]);
    return out;
  };
  return (all.narrow(0, 0, m).narrow(1, 0, n) + logarithms(rows, m).unsqueeze(1) + logarithms(columns, n).unsqueeze(0) +
          std::log(count))
      .to(at::kFloat);
}

class SuperGlue : public MatchNet {
 public:
  SuperGlue(const MatcherSettings& settings, Parameters& parameters)
      : settings_(settings), project_(final_projection(parameters)) {
    std::int64_t in = 3, index = 0;
    for (const std::int64_t out : {32, 64, 128, 256}) {
      const std::string name = "kenc.encoder.";
      encoder_.emplace_back(
          hidden(parameters, name + std::to_string(index), name + std::to_string(index + 1), out, in));
      in = out;
      index += 3;
    }
    encoder_.emplace_back(linear(parameters, "kenc.encoder." + std::to_string(index), kWidth, in));
    for (int i = 0; layers_.empty() || parameters.has("gnn.layers." + std::to_string(i) + ".attn.merge.weight"); ++i)
      layers_.push_back(Layer::take(parameters, "gnn.layers." + std::to_string(i)));
    alone_ = parameters.take("bin_score", {}).item<double>();
    parameters.ignore_suffix(".num_batches_tracked");
    parameters.finish();
  }

  std::unique_ptr<MatchNet> clone() const override { return std::make_unique<SuperGlue>(*this); }

  std::vector<cbir_local_match> match(const cbir_local_features& a, const cbir_local_features& b) const override {
    // All keypoints of both pictures, one below the other.
    at::Tensor x = at::cat({descriptor_rows(a), descriptor_rows(b)});
    at::Tensor place = at::cat({places(a), places(b)});
    for (const Linear& layer : encoder_) place = layer(place);
    x.add_(place);
    for (std::size_t i = 0; i < layers_.size(); ++i) x = run(layers_[i], x, a.count, i % 2 == 1);
    x = project_(x);
    const at::Tensor scores = product(x.narrow(0, 0, a.count), x.narrow(0, a.count, b.count).t());
    return mutual_best(assignment(scores, alone_, settings_.iterations), settings_.threshold);
  }

 private:
  /// Both factors of a score get half of its scale.
  static LinearSpec final_projection(Parameters& parameters) {
    LinearSpec spec = linear(parameters, "final_proj", kWidth, kWidth);
    const double scale = std::pow(static_cast<double>(kWidth), -.25);
    spec.weight = spec.weight * scale;
    spec.bias = spec.bias * scale;
    return spec;
  }

  /// Position and score.
  static at::Tensor places(const cbir_local_features& features) {
    const at::Tensor scores = at::empty({static_cast<std::int64_t>(features.count), 1});
    for (std::uint32_t i = 0; i < features.count; ++i) scores.data_ptr<float>()[i] = features.keypoints[i].score;
    return at::cat({centred(features, kParts), scores}, 1);
  }

  /// `first`: rows of the first picture.
  static at::Tensor run(const Layer& layer, const at::Tensor& x, std::int64_t first, bool cross) {
    const at::Tensor qkv = layer.qkv(x);
    const auto part = [&](std::int64_t which, bool second) {
      const at::Tensor third = qkv.narrow(1, which * kWidth, kWidth);
      return (second ? third.narrow(0, first, x.size(0) - first) : third.narrow(0, 0, first)).unsqueeze(0);
    };
    const auto looked = [&](bool second) {
      return attention(part(0, second), part(1, second != cross), part(2, second != cross), kHeads, {}).squeeze(0);
    };
    const at::Tensor message = layer.merge(at::cat({looked(false), looked(true)}));
    return layer.contract(layer.expand(at::cat({x, message}, 1)), x);
  }

  MatcherSettings settings_;
  Linear project_;
  std::vector<Linear> encoder_;
  std::vector<Layer> layers_;
  double alone_ = 0;
};

}  // namespace

std::unique_ptr<MatchNet> make_superglue(const MatcherSettings& settings, Parameters& parameters) {
  if (settings.dimension != kWidth)
    throw Error(ExitCode::incompatible, "superglue matches descriptors of " + std::to_string(kWidth) +
                                            " numbers, not " + std::to_string(settings.dimension));
  return std::make_unique<SuperGlue>(settings, parameters);
}

}  // namespace cbir::nets
