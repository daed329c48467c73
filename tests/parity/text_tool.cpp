// For the parity tests: rows of tokens in, embeddings out. The text tower through the plug-in's own boundary, without
// the tokenizer and its vocabulary.
//
//   text_tool PRESET.json WEIGHTS TOKENS OUT BATCH [PRECISION]
//
// TOKENS holds rows of int32 numbers, as many in a row as the preset's text.context says. OUT gets float32 rows. BATCH
// rows go into one call.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <cbir/encoder/net_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/encoder/preset.hpp>
#include <cbir/weights/tensors.hpp>

namespace {

void check(int code, const char* message) {
  if (code != 0) throw cbir::Error(static_cast<cbir::ExitCode>(code), message);
}

std::vector<std::int32_t> read_tokens(const std::string& path) {
  const std::vector<std::byte> bytes = cbir::read_file(path);
  std::vector<std::int32_t> tokens(bytes.size() / sizeof(std::int32_t));
  std::memcpy(tokens.data(), bytes.data(), tokens.size() * sizeof(std::int32_t));
  return tokens;
}

void run(const std::string& preset_path, const std::string& weights, const std::string& input,
         const std::string& output, std::size_t batch, const std::string& precision) {
  const auto& api = *reinterpret_cast<const cbir_net_api* (*)()>(cbir::load_plugin("nets", "cbir_net_plugin"))();
  const cbir::Preset preset = cbir::load_preset(preset_path);
  const cbir::TensorMap tensors = cbir::read_tensors(weights);
  std::vector<std::string> types;
  types.reserve(tensors.size());
  std::vector<cbir_net_tensor> list;
  for (const auto& [name, tensor] : tensors) {
    types.emplace_back(to_string(tensor.type));
    list.push_back({name.c_str(), types.back().c_str(), tensor.shape.data(), tensor.shape.size(), tensor.data.data()});
  }
  const cbir_net_source source{.preset_json = preset.json.c_str(),
                               .precision = precision.c_str(),
                               .device = "cpu",
                               .tensors = list.data(),
                               .tensor_count = list.size(),
                               .file = nullptr,
                               .file_size = 0};
  std::array<char, 1024> message{};
  cbir_net* net = nullptr;
  check(api.create(&source, &net, message.data(), message.size()), message.data());
  cbir_net_info info{};
  api.describe(net, &info);
  if (!preset.text || info.context != static_cast<std::uint32_t>(preset.text->context))
    throw cbir::Incompatible("the network reads no text");
  const std::vector<std::int32_t> tokens = read_tokens(input);
  const std::size_t count = tokens.size() / info.context;
  std::vector<float> out(count * info.dim);
  for (std::size_t i = 0; i < count; i += batch)
    check(api.encode_text(net, tokens.data() + i * info.context, std::min(batch, count - i), out.data() + i * info.dim,
                          message.data(), message.size()),
          message.data());
  api.destroy(net);
  cbir::write_file(output, {reinterpret_cast<const char*>(out.data()), out.size() * sizeof(float)}, true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  try {
    run(argv[1], argv[2], argv[3], argv[4], std::stoul(argv[5]), argc > 6 ? argv[6] : "float32");
    return 0;
  } catch (const cbir::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
