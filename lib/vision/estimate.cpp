#include "estimate.hpp"

#include <algorithm>
#include <climits>
#include <opencv2/calib3d.hpp>
#include <string>

#include <cbir/base/error.hpp>

namespace cbir::vision {
namespace {

constexpr double kConfidence = .999;
constexpr int kMaxIterations = 2000;

/// Points that each model is computed from.
std::size_t least_points(std::uint32_t model) {
  switch (model) {
    case CBIR_ESTIMATE_AFFINE:
      return 3;
    case CBIR_ESTIMATE_HOMOGRAPHY:
      return 4;
    case CBIR_ESTIMATE_FUNDAMENTAL:
      return 8;
    default:
      throw Error(ExitCode::internal, "geometric model " + std::to_string(model) + " is not known");
  }
}

/// MAGSAC++ (Barath et al., CVPR 2020), one thread.
cv::UsacParams parameters(const cbir_estimate_request& request) {
  cv::UsacParams out;
  out.confidence = kConfidence;
  out.isParallel = false;
  out.loMethod = cv::LOCAL_OPTIM_SIGMA;
  out.maxIterations = kMaxIterations;
  out.randomGeneratorState = static_cast<int>(request.seed % INT_MAX);
  out.sampler = cv::SAMPLING_UNIFORM;
  out.score = cv::SCORE_METHOD_MAGSAC;
  out.threshold = request.threshold;
  return out;
}

cv::Mat points_of(const float* points, std::size_t count) {
  return {static_cast<int>(count), 1, CV_32FC2, const_cast<float*>(points)};  // is but read
}

}  // namespace

cbir_estimate_result estimate(const cbir_estimate_request& request) {
  cbir_estimate_result result{};
  if (request.count < least_points(request.model)) return result;
  const cv::Mat a = points_of(request.a, request.count), b = points_of(request.b, request.count);
  const cv::UsacParams usac = parameters(request);
  cv::Mat found, inliers;
  if (request.model == CBIR_ESTIMATE_AFFINE) found = cv::estimateAffine2D(a, b, inliers, usac);
  else if (request.model == CBIR_ESTIMATE_HOMOGRAPHY) found = cv::findHomography(a, b, inliers, usac);
  else found = cv::findFundamentalMat(a, b, inliers, usac);
  if (found.empty() || found.cols != 3) return result;
  found.convertTo(found, CV_64F);
  // Several fundamental matrices may be returned, one below the other; the first is the best.
  const int rows = std::min(found.rows, 3);
  for (int row = 0; row < rows; ++row) std::copy_n(found.ptr<double>(row), 3, result.transform + 3 * row);
  if (request.model == CBIR_ESTIMATE_AFFINE) result.transform[8] = 1;
  result.found = 1;
  return result;
}

}  // namespace cbir::vision
