// The C boundary of detectors (cbir/detect/detect_plugin.h). Everything beyond it may throw; nothing leaves it by
// exception.

#include <cbir/detect/detect_plugin.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "boundary.hpp"
#include "detector.hpp"

using namespace cbir;

struct cbir_detector {
  explicit cbir_detector(std::string_view file) : network(file) {
    if (!network.names().empty())
      names = nlohmann::json(network.names()).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  onnx::Detector network;
  std::string names;
};

namespace {

constexpr std::uint32_t kStride = 32;  // that of the coarsest level, where the input may be of any size

int create(const cbir_net_source* source, cbir_detector** detector, char* message, std::size_t message_size) {
  return onnx::run_guarded(message, message_size, [&] {
    onnx::check_choice("precision", source->precision, "float32", "bfloat16");
    onnx::check_choice("device", source->device, "cpu", "cuda");
    *detector = new cbir_detector(std::string_view(static_cast<const char*>(source->file), source->file_size));
  });
}

void describe(const cbir_detector* detector, cbir_detector_info* info) {
  *info = {.classes = detector->network.classes(),
           .stride = kStride,
           .width = detector->network.width(),
           .height = detector->network.height(),
           .names = detector->names.c_str()};
}

int detect(const cbir_detector* detector, const cbir_net_picture* picture, float min_confidence,
           void (*sink)(void*, const cbir_detect_candidate*, std::size_t), void* context, char* message,
           std::size_t message_size) {
  return onnx::run_guarded(message, message_size, [&] {
    const std::vector<cbir_detect_candidate> found = detector->network.run(*picture, min_confidence);
    sink(context, found.data(), found.size());
  });
}

void destroy(cbir_detector* detector) { delete detector; }

constexpr cbir_detect_api kApi = {CBIR_DETECT_ABI, create, describe, detect, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_detect_api* cbir_detect_plugin(void) {
  onnx::tame_opencv();
  return &kApi;
}
