// LightGlue: Lindenberger et al., "LightGlue: Local Feature Matching at Light Speed" (ICCV 2023), with the authors'
// parameter names; LighterGlue, XFeat's, is a narrow one. How wide it is, and how many layers and heads it has, the
// parameters tell. Each layer lets the keypoints of a picture look at each other, then at those of the other picture.
// Keypoints that certainly have no match are left out of further layers, and once most are sure no further layer is
// run.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "../attention.hpp"
#include "../linear.hpp"
#include "../loading.hpp"
#include "matching.hpp"
#include "networks.hpp"

namespace cbir::nets {
namespace {

constexpr double kEpsilon = 1e-5;  // of layer norm

/// A layer of one output, whose sigmoid says how likely something is of each row.
struct Judge {
  at::Tensor weight, bias;

  static Judge take(Parameters& parameters, const std::string& name, std::int64_t width) {
    return {parameters.take(name + ".weight", {1, width}).view({width, 1}), parameters.take(name + ".bias", {1})};
  }
  /// The logarithm of its odds.
  at::Tensor logit(const at::Tensor& x) const { return product(x, weight).view({-1}).add_(bias); }
};

/// x + MLP([x, message]).
struct Mix {
  Linear expand, contract;
  at::Tensor norm_weight, norm_bias;

  static Mix take(Parameters& parameters, const std::string& name, std::int64_t width) {
    return {.expand = Linear(take_linear(parameters, name + ".0", 2 * width, 2 * width)),
            .contract = Linear(take_linear(parameters, name + ".3", width, 2 * width)),
            .norm_weight = parameters.take(name + ".1.weight", {2 * width}),
            .norm_bias = parameters.take(name + ".1.bias", {2 * width})};
  }
  at::Tensor operator()(const at::Tensor& x, const at::Tensor& message) const {
    at::Tensor h = expand(at::cat({x, message}, 1));
    h = at::layer_norm(h, {h.size(1)}, norm_weight, norm_bias, kEpsilon);
    return contract(at::gelu_(h), x);
  }
};

struct Layer {
  Linear qkv, self_out;
  Mix self_mix;
  Linear qk_v, cross_out;  // queries and keys are the same here
  Mix cross_mix;
};

/// The logarithm of how likely two descriptors are a match, and each of them has one.
struct Assignment {
  Linear project;
  Judge matchable;
};

/// All keypoints that still take part: those of the first picture, and after them those of the second.
struct State {
  at::Tensor x;            ///< rows x width
  at::Tensor cos, sin;     ///< rows x half a head: of the positions
  at::Tensor original;     ///< of each row its position in its picture, int64
  std::int64_t first = 0;  ///< rows of the first picture

  std::int64_t second() const { return x.size(0) - first; }
};

class LightGlue : public MatchNet {
 public:
  LightGlue(const MatcherSettings& settings, Parameters& parameters);

  std::unique_ptr<MatchNet> clone() const override { return std::make_unique<LightGlue>(*this); }

  std::vector<cbir_local_match> match(const cbir_local_features& a, const cbir_local_features& b) const override {
    State state = start(a, b);
    std::size_t layer = 0;
    for (;; ++layer) {
      run(layers_[layer], state);
      if (layer + 1 == layers_.size()) break;
      at::Tensor sure;
      if (settings_.depth_confidence > 0) {
        sure = at::sigmoid(confidence_[layer].logit(state.x));
        const auto unsure = at::lt(sure, threshold(layer)).sum().item<std::int64_t>();
        if (1 - static_cast<double>(unsure) / (a.count + b.count) > static_cast<double>(settings_.depth_confidence))
          break;
      }
      if (settings_.width_confidence > 0) leave_out(state, layer, sure);
      if (state.first == 0 || state.second() == 0) return {};
    }
    return assign(state, assignments_[layer]);
  }

 private:
  /// How sure a keypoint must be after a layer to count.
  double threshold(std::size_t layer) const {
    return .8 + .1 * std::exp(-4.0 * static_cast<double>(layer) / static_cast<double>(layers_.size()));
  }

  State start(const cbir_local_features& a, const cbir_local_features& b) const;
  void rotate(const State& state, const at::Tensor& qk) const;
  at::Tensor attend(const State& state, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    bool cross) const;
  void run(const Layer& layer, State& state) const;
  void leave_out(State& state, std::size_t layer, const at::Tensor& sure) const;
  std::vector<cbir_local_match> assign(const State& state, const Assignment& assignment) const;

  MatcherSettings settings_;
  std::int64_t width_ = 0, heads_ = 0;
  at::Tensor positions_;       // half a head x 2
  std::vector<Linear> input_;  // one, or none where descriptors have the network's width
  std::vector<Layer> layers_;
  std::vector<Judge> confidence_;
  std::vector<Assignment> assignments_;
};

/// Rows of the checkpoint's layer are (head, number, which of q, k and v); here they are (q, k or v; head, number), and
/// q is scaled as attention wants it.
LinearSpec take_qkv(Parameters& parameters, const std::string& name, std::int64_t width, std::int64_t heads) {
  LinearSpec spec = take_linear(parameters, name, 3 * width, width);
  const std::int64_t head = width / heads;
  spec.weight = spec.weight.view({width, 3, width}).transpose(0, 1).reshape({3 * width, width});
  spec.bias = spec.bias.view({width, 3}).transpose(0, 1).reshape({3 * width});
  const double scale = 1 / std::sqrt(static_cast<double>(head));
  spec.weight.narrow(0, 0, width).mul_(scale);
  spec.bias.narrow(0, 0, width).mul_(scale);
  return spec;
}

/// Two layers over the same input as one. Both factors of a score get half of its scale.
LinearSpec take_qk_v(Parameters& parameters, const std::string& name, std::int64_t width, std::int64_t heads) {
  const LinearSpec qk = take_linear(parameters, name + ".to_qk", width, width),
                   v = take_linear(parameters, name + ".to_v", width, width);
  const double scale = std::pow(static_cast<double>(width / heads), -.25);
  return {at::cat({qk.weight * scale, v.weight}), at::cat({qk.bias * scale, v.bias}), Activation::none};
}

LightGlue::LightGlue(const MatcherSettings& settings, Parameters& parameters) : settings_(settings) {
  // XFeat's checkpoint holds its extractor, too.
  const std::string prefix = parameters.has("matcher.posenc.Wr.weight") ? "matcher." : "";
  parameters.ignore_prefix("extractor.");
  const auto first_of = [&](const std::string& name) {
    const at::IntArrayRef shape = parameters.shape(prefix + name);
    if (shape.empty() || shape[0] < 1)
      throw Error(ExitCode::incompatible, "parameter " + prefix + name + " is missing");
    return shape[0];
  };
  width_ = first_of("log_assignment.0.final_proj.weight");
  const std::int64_t half_head = first_of("posenc.Wr.weight");
  if (width_ % (2 * half_head) != 0)
    throw Error(ExitCode::incompatible, "parameter " + prefix + "posenc.Wr.weight says that heads have " +
                                            std::to_string(2 * half_head) + " numbers, of " + std::to_string(width_));
  heads_ = width_ / (2 * half_head);
  positions_ = parameters.take(prefix + "posenc.Wr.weight", {half_head, 2});
  if (parameters.has(prefix + "input_proj.weight") || width_ != settings.dimension)
    input_.emplace_back(take_linear(parameters, prefix + "input_proj", width_, settings.dimension));
  // Older checkpoints count layers behind the names of their parts.
  const bool older = parameters.has(prefix + "self_attn.0.Wqkv.weight");
  for (int i = 0;
       layers_.empty() || parameters.has(prefix + "log_assignment." + std::to_string(i) + ".final_proj.weight"); ++i) {
    const std::string number = std::to_string(i);
    const auto part = [&](const char* name) {
      return older ? prefix + name + "." + number : prefix + "transformers." + number + "." + name;
    };
    const std::string self = part("self_attn"), cross = part("cross_attn"),
                      assignment = prefix + "log_assignment." + number;
    layers_.push_back({.qkv = Linear(take_qkv(parameters, self + ".Wqkv", width_, heads_)),
                       .self_out = Linear(take_linear(parameters, self + ".out_proj", width_, width_)),
                       .self_mix = Mix::take(parameters, self + ".ffn", width_),
                       .qk_v = Linear(take_qk_v(parameters, cross, width_, heads_)),
                       .cross_out = Linear(take_linear(parameters, cross + ".to_out", width_, width_)),
                       .cross_mix = Mix::take(parameters, cross + ".ffn", width_)});
    LinearSpec project = take_linear(parameters, assignment + ".final_proj", width_, width_);
    const double scale = std::pow(static_cast<double>(width_), -.25);
    project.weight.mul_(scale), project.bias.mul_(scale);
    assignments_.push_back({Linear(project), Judge::take(parameters, assignment + ".matchability", width_)});
  }
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i)
    confidence_.push_back(
        Judge::take(parameters, prefix + "token_confidence." + std::to_string(i) + ".token.0", width_));
  parameters.ignore_suffix("confidence_thresholds");
  parameters.finish();
}

State LightGlue::start(const cbir_local_features& a, const cbir_local_features& b) const {
  const at::Tensor descriptors = at::cat({descriptor_rows(a), descriptor_rows(b)});
  const at::Tensor angles = product(at::cat({centred(a, 2), centred(b, 2)}), positions_.t());
  State state;
  state.x = input_.empty() ? descriptors : input_.front()(descriptors);
  state.cos = angles.cos();
  state.sin = angles.sin();
  state.original = at::cat({at::arange(static_cast<std::int64_t>(a.count), at::kLong),
                            at::arange(static_cast<std::int64_t>(b.count), at::kLong)});
  state.first = a.count;
  return state;
}

/// Turns pairs of neighbouring numbers of q and k, rows x (2 width + more), by their keypoints' angles.
void LightGlue::rotate(const State& state, const at::Tensor& qk) const {
  const std::int64_t half_head = positions_.size(0), row_size = qk.size(1);
  const float *cos = state.cos.data_ptr<float>(), *sin = state.sin.data_ptr<float>();
  float* row = qk.data_ptr<float>();
  for (std::int64_t r = 0; r < qk.size(0); ++r, row += row_size, cos += half_head, sin += half_head)
    for (std::int64_t head = 0; head < 2 * heads_; ++head)
      for (std::int64_t i = 0; i < half_head; ++i) {
        float* const pair = row + 2 * (head * half_head + i);
        const float x = pair[0], y = pair[1];
        pair[0] = x * cos[i] - y * sin[i];
        pair[1] = y * cos[i] + x * sin[i];
      }
}

/// Each picture's rows look at its own, or at those of the other picture.
at::Tensor LightGlue::attend(const State& state, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             bool cross) const {
  const auto part = [&](const at::Tensor& x, bool second) {
    return (second ? x.narrow(0, state.first, state.second()) : x.narrow(0, 0, state.first)).unsqueeze(0);
  };
  const auto of = [&](bool second) {
    return attention(part(q, second), part(k, second != cross), part(v, second != cross), heads_, {}).squeeze(0);
  };
  return at::cat({of(false), of(true)});
}

void LightGlue::run(const Layer& layer, State& state) const {
  const at::Tensor qkv = layer.qkv(state.x);
  rotate(state, qkv);
  const auto third = [&](std::int64_t i) { return qkv.narrow(1, i * width_, width_); };
  state.x = layer.self_mix(state.x, layer.self_out(attend(state, third(0), third(1), third(2), false)));
  const at::Tensor qk_v = layer.qk_v(state.x), qk = qk_v.narrow(1, 0, width_), v = qk_v.narrow(1, width_, width_);
  state.x = layer.cross_mix(state.x, layer.cross_out(attend(state, qk, qk, v, true)));
}

/// Those stay that may have a match, or are not sure yet.
void LightGlue::leave_out(State& state, std::size_t layer, const at::Tensor& sure) const {
  at::Tensor stay = at::gt(at::sigmoid(assignments_[layer].matchable.logit(state.x)),
                           1 - static_cast<double>(settings_.width_confidence));
  if (sure.defined()) stay.logical_or_(at::le(sure, threshold(layer)));
  const at::Tensor rows = at::nonzero(stay).view({-1});
  if (rows.size(0) == state.x.size(0)) return;
  const auto of_those = [&](const at::Tensor& x) { return x.index_select(0, rows); };
  state.first = at::lt(rows, state.first).sum().item<std::int64_t>();
  state.x = of_those(state.x);
  state.cos = of_those(state.cos);
  state.sin = of_those(state.sin);
  state.original = of_those(state.original);
}

std::vector<cbir_local_match> LightGlue::assign(const State& state, const Assignment& assignment) const {
  const at::Tensor projected = assignment.project(state.x), can = at::log_sigmoid(assignment.matchable.logit(state.x));
  const auto first = [&](const at::Tensor& x) { return x.narrow(0, 0, state.first); };
  const auto second = [&](const at::Tensor& x) { return x.narrow(0, state.first, state.second()); };
  const at::Tensor similar = product(first(projected), second(projected).t());
  // Softmax over rows times softmax over columns, as logarithms.
  const at::Tensor of_rows = first(can) - at::logsumexp(similar, {1}),
                   of_columns = second(can) - at::logsumexp(similar, {0});
  const at::Tensor scores = (similar * 2).add_(of_rows.unsqueeze(1)).add_(of_columns.unsqueeze(0));
  std::vector<cbir_local_match> matches = mutual_best(scores, settings_.threshold);
  const auto* original = state.original.data_ptr<std::int64_t>();
  for (cbir_local_match& match : matches) {
    match.a = static_cast<std::uint32_t>(original[match.a]);
    match.b = static_cast<std::uint32_t>(original[state.first + match.b]);
  }
  return matches;
}

}  // namespace

std::unique_ptr<MatchNet> make_lightglue(const MatcherSettings& settings, Parameters& parameters) {
  return std::make_unique<LightGlue>(settings, parameters);
}

}  // namespace cbir::nets
