#include "whitening.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "loading.hpp"

namespace cbir::nets {
namespace {

/// As the project does it.
at::Tensor unit(const at::Tensor& vectors) { return vectors / (vectors.norm(2, {1}, true) + 1e-6); }

}  // namespace

double take_exponent(Parameters& parameters, const Settings& settings) {
  if (!parameters.has("pool.p")) return settings.gem_p;
  const double p = parameters.take("pool.p", {1}).item<double>();
  if (!(p >= 1 && p <= 100))
    throw Error(ExitCode::damaged, "parameter pool.p is " + std::to_string(p) + "; 1 to 100 was expected");
  return p;
}

// The products are small and stretch small differences: float32, whatever the precision of the network.
Whitening::Whitening(Parameters& parameters, const Settings& settings) {
  const std::int64_t dim = settings.dimension;
  if (parameters.has("whiten.weight")) {
    layer_.emplace(take_linear(parameters, "whiten", dim, dim), Precision::float32, settings.device);
  } else {
    for (const char* set : {"retrieval-SfM-120k", "retrieval-SfM-30k"}) {
      const std::string prefix = std::string("meta.Lw.") + set + (settings.scales.size() > 1 ? ".ms" : ".ss");
      if (!parameters.has(prefix + ".P")) continue;
      mean_ = parameters.take(prefix + ".m", {dim, 1}).view({1, dim}).to(settings.device);
      const LinearSpec projection{parameters.take(prefix + ".P", {dim, dim}), {}, Activation::none};
      projection_.emplace(projection, Precision::float32, settings.device);
      break;
    }
  }
  parameters.ignore_prefix("meta.");
}

at::Tensor Whitening::of_scale(const at::Tensor& vectors) const {
  if (layer_) return (*layer_)(unit(vectors));
  return projection_ ? unit(vectors) : vectors;
}

at::Tensor Whitening::of_average(const at::Tensor& vectors) const {
  return projection_ ? (*projection_)(unit(vectors) - mean_) : vectors;
}

}  // namespace cbir::nets
