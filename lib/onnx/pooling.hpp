#pragma once
/// From what a network puts out for one picture to its vector.

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

#include "../net_plugin/settings.hpp"

namespace cbir::onnx {

/// Throws Error if settings.pool is none of these: none, avg, gem, max.
void check_pool(const nets::PresetSettings& settings);

/// Whether an output of this shape becomes a vector: 1 x D without pooling; 1 x D x H x W with, and where H and W
/// are 1.
bool makes_vector(const cv::Mat& output, const nets::PresetSettings& settings);

/// The vector of an output of which makes_vector() is true. Pools over all positions by settings.pool:
///   avg, max
///   gem       (mean of max(x, 1e-6)^p)^(1/p), p = settings.gem_p
std::vector<float> to_vector(const cv::Mat& output, const nets::PresetSettings& settings);

/// "1 x 512 x 7 x 7"
std::string shape_text(const cv::Mat& output);

}  // namespace cbir::onnx
