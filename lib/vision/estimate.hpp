#pragma once
/// Robust estimation by OpenCV's USAC.

#include <cbir/local/estimate_plugin.h>

namespace cbir::vision {

/// Throws Error for a model that there is none of, and cv::Exception.
cbir_estimate_result estimate(const cbir_estimate_request& request);

}  // namespace cbir::vision
