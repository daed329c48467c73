#pragma once
/// What the C boundaries of the plug-in share: cbir/encoder/net_plugin.h and cbir/detect/detect_plugin.h.

#include <new>
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <string>

#include <cbir/base/boundary.hpp>

#include "network.hpp"

namespace cbir::onnx {

/// OpenCV is told, for the whole process, to compute on the calling thread, and to keep what it has to say for the
/// exceptions that it throws.
inline void tame_opencv() {
  static const bool tamed = [] {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
    return true;
  }();
  static_cast<void>(tamed);
}

/// As cbir::guarded(); OpenCV's own exceptions on one line.
template <typename Body>
int run_guarded(char* message, std::size_t message_size, Body body) {
  return cbir::guarded(message, message_size, [&] {
    try {
      body();
    } catch (const cv::Exception& error) {
      if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
      throw Error(ExitCode::internal, "OpenCV's dnn: " + reason(error));
    }
  });
}

/// There is one choice, which "auto" comes to; `other` is what other networks may have.
inline void check_choice(const std::string& what, const std::string& wanted, const std::string& only,
                         const std::string& other) {
  if (wanted == only || wanted == "auto") return;
  if (wanted != other) throw Error(ExitCode::usage, what + " '" + wanted + "' is not known; " + only + " or auto");
  throw Error(ExitCode::resource, "OpenCV's dnn has no " + what + " " + wanted + " here, only " + only);
}

}  // namespace cbir::onnx
