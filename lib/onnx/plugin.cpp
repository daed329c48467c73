// The C boundary (cbir/encoder/net_plugin.h). Everything beyond it may throw; nothing leaves it by exception.

#include <string_view>

#include <cbir/encoder/net_plugin.h>

#include "boundary.hpp"
#include "network.hpp"

using namespace cbir;

struct cbir_net {
  onnx::Network network;
};

namespace {

int create(const cbir_net_source* source, cbir_net** net, char* message, std::size_t message_size) {
  return onnx::run_guarded(message, message_size, [&] {
    onnx::check_choice("precision", source->precision, "float32", "bfloat16");
    onnx::check_choice("device", source->device, "cpu", "cuda");
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
  return onnx::run_guarded(message, message_size, [&] {
    const auto dim = static_cast<std::size_t>(net->network.settings().dimension);
    for (std::size_t i = 0; i < count; ++i) net->network.encode(pictures[i], out + i * dim);
  });
}

int encode_text(const cbir_net*, const std::int32_t*, std::size_t, float*, char* message, std::size_t message_size) {
  return onnx::run_guarded(message, message_size,
                           [] { throw Error(ExitCode::incompatible, "network 'onnx' reads no text"); });
}

void destroy(cbir_net* net) { delete net; }

constexpr cbir_net_api kApi = {CBIR_NET_ABI, create, describe, encode, encode_text, destroy};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_net_api* cbir_net_plugin(void) {
  onnx::tame_opencv();
  return &kApi;
}
