// The C boundaries (cbir/local/local_plugin.h, cbir/local/estimate_plugin.h). Everything beyond them may throw; nothing
// leaves them by exception.

#include <cstdio>
#include <opencv2/core.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <string>

#include <cbir/base/boundary.hpp>

#include "estimate.hpp"
#include "extractors.hpp"

using namespace cbir;

struct cbir_local_extractor {
  std::unique_ptr<vision::Extractor> extractor;
};

namespace {

/// OpenCV is told, for the whole process, to compute on the calling thread, and to keep what it has to say for the
/// exceptions that it throws.
void tame_opencv() {
  cv::setNumThreads(1);
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
}

/// As cbir::guarded(); OpenCV's own exceptions on one line.
template <typename Body>
int run_guarded(char* message, std::size_t message_size, Body body) {
  return cbir::guarded(message, message_size, [&] {
    try {
      body();
    } catch (const cv::Exception& error) {
      if (error.code == cv::Error::StsNoMem) throw std::bad_alloc();
      throw Error(ExitCode::internal, "OpenCV: " + error.err + " in " + error.func);
    }
  });
}

int create_extractor(const cbir_net_source* source, cbir_local_extractor** extractor, char* message,
                     std::size_t message_size) {
  return run_guarded(message, message_size,
                     [&] { *extractor = new cbir_local_extractor{vision::make_extractor(source->preset_json)}; });
}

void describe_extractor(const cbir_local_extractor* extractor, cbir_local_extractor_info* info) {
  *info = extractor->extractor->info();
}

int extract(const cbir_local_extractor* extractor, const cbir_net_picture* picture, std::uint32_t keypoints,
            void (*sink)(void*, const cbir_local_features*), void* context, char* message, std::size_t message_size) {
  return run_guarded(message, message_size, [&] {
    const vision::Features found = extractor->extractor->extract(*picture, keypoints);
    const cbir_local_features features{.width = picture->width,
                                       .height = picture->height,
                                       .count = static_cast<std::uint32_t>(found.keypoints.size()),
                                       .dim = extractor->extractor->info().dim,
                                       .keypoints = found.keypoints.data(),
                                       .descriptors = found.descriptors.empty() ? nullptr : found.descriptors.data(),
                                       .bits = found.bits.empty() ? nullptr : found.bits.data()};
    sink(context, &features);
  });
}

void destroy_extractor(cbir_local_extractor* extractor) { delete extractor; }

int estimate(const cbir_estimate_request* request, cbir_estimate_result* result, char* message,
             std::size_t message_size) {
  return run_guarded(message, message_size, [&] { *result = vision::estimate(*request); });
}

constexpr cbir_local_api kLocal = {
    CBIR_LOCAL_ABI, create_extractor, describe_extractor, extract, destroy_extractor, nullptr, nullptr, nullptr};
constexpr cbir_estimate_api kEstimate = {CBIR_ESTIMATE_ABI, estimate};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_local_api* cbir_local_plugin(void) {
  static const bool tamed = (tame_opencv(), true);
  static_cast<void>(tamed);
  return &kLocal;
}

extern "C" __attribute__((visibility("default"))) const cbir_estimate_api* cbir_estimate_plugin(void) {
  cbir_local_plugin();
  return &kEstimate;
}
