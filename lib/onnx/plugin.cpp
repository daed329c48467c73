// The C boundary (cbir/encoder/net_plugin.h). Everything beyond it may throw; nothing leaves it by exception.

#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <string>
#include <string_view>

#include <cbir/encoder/net_plugin.h>

#include "network.hpp"

using namespace cbir;

struct cbir_net {
  onnx::Network network;
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
      throw Error(ExitCode::internal, "OpenCV's dnn: " + onnx::reason(error));
    }
  });
}

/// There is one choice, which "auto" comes to; `other` is what other networks may have.
void check_choice(const std::string& what, const std::string& wanted, const std::string& only,
                  const std::string& other) {
  if (wanted == only || wanted == "auto") return;
  if (wanted != other) throw Error(ExitCode::usage, what + " '" + wanted + "' is not known; " + only + " or auto");
  throw Error(ExitCode::resource, "OpenCV's dnn has no " + what + " " + wanted + " here, only " + only);
}

int create(const cbir_net_source* source, cbir_net** net, char* message, std::size_t message_size) {
  return run_guarded(message, message_size, [&] {
    check_choice("precision", source->precision, "float32", "bfloat16");
    check_choice("device", source->device, "cpu", "cuda");
    const std::string_view file(static_cast<const char*>(source->file), source->file_size);
    *net = new cbir_net{onnx::Network(nets::parse_preset(source->preset_json), file)};
  });
}

void describe(const cbir_net* net, cbir_net_info* info) {
  const nets::PresetSettings& settings = net->network.settings();
  *info = {.dim = static_cast<std::uint32_t>(settings.dimension),
           .width = net->network.any_size() ? 0 : static_cast<std::uint32_t>(settings.size),
           .height = net->network.any_size() ? 0 : static_cast<std::uint32_t>(settings.size),
           .independent = 1,
           .context = 0,
           .vocabulary = 0,
           .precision = "float32",
           .device = "cpu"};
}

int encode(const cbir_net* net, const cbir_net_picture* pictures, std::size_t count, float* out, char* message,
           std::size_t message_size) {
  return run_guarded(message, message_size, [&] {
    const auto dim = static_cast<std::size_t>(net->network.settings().dimension);
    for (std::size_t i = 0; i < count; ++i) net->network.encode(pictures[i], out + i * dim);
  });
}

int encode_text(const cbir_net*, const std::int32_t*, std::size_t, float*, char* message, std::size_t message_size) {
  return run_guarded(message, message_size,
                     [] { throw Error(ExitCode::incompatible, "network 'onnx' reads no text"); });
}

void destroy(cbir_net* net) { delete net; }

constexpr cbir_net_api kApi = {CBIR_NET_ABI, create, describe, encode, encode_text, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_net_api* cbir_net_plugin(void) {
  static const bool tamed = (tame_opencv(), true);
  static_cast<void>(tamed);
  return &kApi;
}
