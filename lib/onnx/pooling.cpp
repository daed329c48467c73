#include "pooling.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace cbir::onnx {
namespace {

constexpr double kEpsilon = 1e-6;

/// All positions of one channel as one number; sums of many want the precision.
float pooled(std::span<const float> map, const nets::PresetSettings& settings) {
  const auto count = static_cast<double>(map.size());
  if (settings.pool == "max") return *std::max_element(map.begin(), map.end());
  if (settings.pool == "avg") return static_cast<float>(std::accumulate(map.begin(), map.end(), 0.0) / count);
  const double sum = std::accumulate(map.begin(), map.end(), 0.0, [&](double so_far, float x) {
    return so_far + std::pow(std::max<double>(x, kEpsilon), settings.gem_p);
  });
  return static_cast<float>(std::pow(sum / count, 1 / settings.gem_p));
}

bool is_map(const cv::Mat& output) { return output.dims == 4; }

}  // namespace

void check_pool(const nets::PresetSettings& settings) {
  for (const char* known : {"none", "avg", "gem", "max"})
    if (settings.pool == known) return;
  throw Error(ExitCode::incompatible, "network '" + settings.network + "' has no pool '" + settings.pool +
                                          "'; avg, gem, max, or none for an output that is a vector already");
}

bool makes_vector(const cv::Mat& output, const nets::PresetSettings& settings) {
  if (output.type() != CV_32F || output.empty() || output.size[0] != 1) return false;
  if (settings.pool != "none") return is_map(output);
  return output.dims == 2 || (is_map(output) && output.size[2] == 1 && output.size[3] == 1);
}

std::vector<float> to_vector(const cv::Mat& output, const nets::PresetSettings& settings) {
  const cv::Mat dense = output.isContinuous() ? output : output.clone();
  const auto dim = static_cast<std::size_t>(dense.size[1]);
  const std::span<const float> all(dense.ptr<float>(), dense.total());
  if (settings.pool == "none") return {all.begin(), all.end()};
  const std::size_t positions = all.size() / dim;
  std::vector<float> out(dim);
  for (std::size_t c = 0; c < dim; ++c) out[c] = pooled(all.subspan(c * positions, positions), settings);
  return out;
}

std::string shape_text(const cv::Mat& output) {
  std::string out;
  for (int i = 0; i < output.dims; ++i) out += (i ? " x " : "") + std::to_string(output.size[i]);
  return out.empty() ? "nothing" : out;
}

}  // namespace cbir::onnx
