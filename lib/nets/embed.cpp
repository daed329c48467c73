#include "embed.hpp"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace cbir::nets {
namespace {

constexpr std::int64_t kSmallestSide = 32;  // of a scaled input

/// Vectors of length 1; zeros stay zeros.
at::Tensor unit(const at::Tensor& vectors) {
  return vectors / vectors.norm(2, {1}, true).clamp_min(std::numeric_limits<float>::min());
}

at::Tensor scaled(const at::Tensor& pictures, double scale) {
  if (scale == 1) return pictures;
  const auto side = [&](std::int64_t dimension) {
    return std::max<std::int64_t>(
        kSmallestSide, static_cast<std::int64_t>(std::floor(static_cast<double>(pictures.size(dimension)) * scale)));
  };
  return at::upsample_bilinear2d(pictures, {side(2), side(3)}, false, scale, scale)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace

void check_input(const Settings& settings, const Traits& traits) {
  const bool one_size = settings.size != 0 && settings.scales == std::vector<double>{1};
  if (!traits.any_size && !one_size)
    throw Error(ExitCode::incompatible, "network '" + settings.network +
                                            "' takes pictures of one size: neither other scales nor uncropped ones");
  if (!settings.activation.empty() && !traits.activation)
    throw Error(ExitCode::incompatible,
                "network '" + settings.network + "' has one activation; the preset cannot choose it");
  if (settings.context != traits.context)
    throw Error(ExitCode::incompatible, "network '" + settings.network + "' reads texts of " +
                                            std::to_string(traits.context) + " tokens, the preset says " +
                                            std::to_string(settings.context));
}

at::Tensor embed(const Runner& runner, const at::Tensor& pictures, const Settings& settings) {
  at::Tensor sum;
  const auto add = [&](const at::Tensor& input) {
    at::Tensor vectors = runner.run(input).to(at::kFloat);
    if (settings.unit && (settings.flip || settings.scales.size() > 1)) vectors = unit(vectors);
    sum = sum.defined() ? sum.add(vectors) : vectors;
  };
  for (const double scale : settings.scales) {
    const at::Tensor input = scaled(pictures, scale);
    add(input);
    if (settings.flip) add(input.flip({3}).contiguous(at::MemoryFormat::ChannelsLast));
  }
  const double parts = static_cast<double>(settings.scales.size()) * (settings.flip ? 2 : 1);
  return runner.finish(parts > 1 ? sum.div(parts) : sum);
}

void copy_rows(const at::Tensor& vectors, std::size_t rows, std::size_t dim, float* out) {
  const at::Tensor dense = vectors.to(at::kCPU, at::kFloat).contiguous();
  if (dense.dim() != 2 || dense.size(0) != static_cast<std::int64_t>(rows) ||
      dense.size(1) != static_cast<std::int64_t>(dim))
    throw Error(ExitCode::internal, "the network gave vectors of another shape than expected");
  std::memcpy(out, dense.data_ptr<float>(), rows * dim * sizeof(float));
}

}  // namespace cbir::nets
