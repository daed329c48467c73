// The C boundary of detectors (cbir/detect/detect_plugin.h). Everything beyond it may throw; nothing leaves it by
// exception.

#include <cbir/detect/detect_plugin.h>

#include <memory>
#include <vector>

#include "../net_plugin/working_copies.hpp"
#include "boundary.hpp"
#include "yolov5.hpp"

using namespace cbir;

struct cbir_detector {
  explicit cbir_detector(const nets::Yolov5& network) : original(network) {}

  nets::Yolov5 original;  ///< never run: copies are
  mutable nets::WorkingCopies<nets::Yolov5> copies;
};

namespace {

int create(const cbir_net_source* source, cbir_detector** detector, char* message, std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    const c10::Device device = nets::choose_device(source->device);
    if (device.is_cuda()) nets::forbid_tf32();
    nets::Parameters parameters(source->tensors, source->tensor_count);
    *detector = new cbir_detector(nets::Yolov5(parameters, nets::choose_precision(source->precision, device), device));
  });
}

void describe(const cbir_detector* detector, cbir_detector_info* info) {
  *info = {.classes = static_cast<std::uint32_t>(detector->original.classes()),
           .stride = static_cast<std::uint32_t>(detector->original.stride()),
           .width = 0,
           .height = 0,
           .names = ""};  // the tensors do not say
}

int detect(const cbir_detector* detector, const cbir_net_picture* picture, float min_confidence,
           void (*sink)(void*, const cbir_detect_candidate*, std::size_t), void* context, char* message,
           std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    const auto copy = detector->copies.take([&] { return std::make_unique<nets::Yolov5>(detector->original); });
    const std::vector<cbir_detect_candidate> found = copy->run(*picture, min_confidence);
    sink(context, found.data(), found.size());
  });
}

void destroy(cbir_detector* detector) { delete detector; }

constexpr cbir_detect_api kApi = {CBIR_DETECT_ABI, create, describe, detect, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_detect_api* cbir_detect_plugin(void) {
  nets::keep_freed_memory();
  return &kApi;
}
