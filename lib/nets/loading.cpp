#include "loading.hpp"

#include <ATen/Functions.h>

namespace cbir::nets {

ConvSpec take_conv(Parameters& parameters, const std::string& name, at::IntArrayRef shape) {
  ConvSpec out;
  out.weight = parameters.take(name + ".weight", shape);
  out.bias = parameters.take(name + ".bias", {shape[0]});
  return out;
}

ConvSpec take_conv(Parameters& parameters, const std::string& name, const std::string& bn, at::IntArrayRef shape,
                   double epsilon) {
  ConvSpec out;
  out.weight = parameters.take(name + ".weight", shape);
  const auto vector = [&](const char* field) { return parameters.take(bn + field, {shape[0]}); };
  const BatchNorm norm{vector(".weight"), vector(".bias"), vector(".running_mean"), vector(".running_var"), epsilon};
  fold(norm, out);
  if (!at::isfinite(out.weight).all().item<bool>() || !at::isfinite(out.bias).all().item<bool>())
    throw Error(ExitCode::damaged, "parameter " + bn + ".running_var makes no sense as a variance");
  return out;
}

LinearSpec take_linear(Parameters& parameters, const std::string& weight, const std::string& bias, std::int64_t out,
                       std::int64_t in) {
  return {parameters.take(weight, {out, in}), parameters.take(bias, {out}), Activation::none};
}

LinearSpec take_linear(Parameters& parameters, const std::string& name, std::int64_t out, std::int64_t in) {
  return take_linear(parameters, name + ".weight", name + ".bias", out, in);
}

void check_layer(const Settings& settings, std::initializer_list<std::pair<std::string_view, std::int64_t>> layers) {
  std::string known;
  for (const auto& [name, dimension] : layers) {
    known += (known.empty() ? "'" : " or '") + std::string(name) + "'";
    if (name != settings.layer) continue;
    if (settings.dimension == dimension) return;
    throw Error(ExitCode::incompatible, "layer '" + settings.layer + "' of " + settings.network + " has dimension " +
                                            std::to_string(dimension) + ", not " + std::to_string(settings.dimension));
  }
  throw Error(ExitCode::incompatible, settings.network + " has the layer " + known + ", not '" + settings.layer + "'");
}

}  // namespace cbir::nets
