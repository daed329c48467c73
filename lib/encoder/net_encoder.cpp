#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

#include <cbir/encoder/net_plugin.h>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/weights/tensors.hpp>

namespace cbir {
namespace {

using Message = std::array<char, 1024>;

const cbir_net_api& nets() {
  static const cbir_net_api* const api = [] {
    using Entry = const cbir_net_api* (*)();
    const cbir_net_api* found = reinterpret_cast<Entry>(load_plugin("nets", "cbir_net_plugin"))();
    if (found->abi != CBIR_NET_ABI)
      throw Incompatible(fmt::format(
          "the plug-in libcbir_nets.so has ABI version {}, {} was expected; install library and plug-in of one version",
          found->abi, CBIR_NET_ABI));
    return found;
  }();
  return *api;
}

struct DestroyNet {
  void operator()(cbir_net* net) const { nets().destroy(net); }
};
using Net = std::unique_ptr<cbir_net, DestroyNet>;

Net create_net(const Preset& preset, const TensorMap& tensors, const std::string& weights_file) {
  std::vector<std::string> types;
  types.reserve(tensors.size());
  std::vector<cbir_net_tensor> list;
  list.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    types.emplace_back(to_string(tensor.type));
    list.push_back({name.c_str(), types.back().c_str(), tensor.shape.data(), tensor.shape.size(), tensor.data.data()});
  }
  cbir_net* net = nullptr;
  Message message{};
  const int code = nets().create(preset.json.c_str(), list.data(), list.size(), &net, message.data(), message.size());
  if (code != 0)
    throw Error(static_cast<ExitCode>(code), fmt::format("{}: does not make encoder '{}': {}",
                                                         display_path(weights_file), preset.name, message.data()));
  return Net(net);
}

/// Sums in double precision and in order, so that the same vector always gives the same bytes.
void normalise(std::span<float> row, bool l2) {
  double squares = 0;
  for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
  if (!std::isfinite(squares)) throw DamagedFile("the network gave a NaN or an infinity for this picture");
  if (!l2) return;
  if (squares == 0) throw DamagedFile("the network gave all zeros for this picture, which has no direction");
  const double scale = 1 / std::sqrt(squares);
  for (float& x : row) x = static_cast<float>(x * scale);
}

class NetEncoder : public Encoder {
 public:
  NetEncoder(Preset preset, std::string fingerprint, Net net)
      : Encoder(std::move(preset), std::move(fingerprint)), net_(std::move(net)) {}

  std::size_t dim() const override { return static_cast<std::size_t>(preset().dimension); }

  std::size_t input_bytes() const override {
    const auto side = static_cast<std::size_t>(preset().preprocessing.crop);
    return side * side * 3;
  }

  void encode(std::span<const std::uint8_t> inputs, MatrixView<float> out) const override {
    if (inputs.size() != out.rows * input_bytes() || out.cols != dim())
      throw Error(ExitCode::internal,
                  fmt::format("encode: {} bytes of input for {} x {} numbers", inputs.size(), out.rows, out.cols));
    if (out.stride == out.cols) {
      run(inputs.data(), out.rows, out.data);
    } else {
      for (std::size_t i = 0; i < out.rows; ++i) run(inputs.data() + i * input_bytes(), 1, out.row(i).data());
    }
    for (std::size_t i = 0; i < out.rows; ++i) normalise(out.row(i), preset().normalization == "l2");
  }

 private:
  void run(const std::uint8_t* pictures, std::size_t count, float* out) const {
    Message message{};
    const int code = nets().encode(net_.get(), pictures, count, out, message.data(), message.size());
    if (code != 0)
      throw Error(static_cast<ExitCode>(code), fmt::format("encoder '{}': {}", preset().name, message.data()));
  }

  Net net_;
};

}  // namespace

std::unique_ptr<Encoder> open_encoder(const Preset& preset, const std::optional<std::string>& weights_file) {
  const std::string path = weights_file ? *weights_file : weights_path(preset);
  if (!weights_file && !exists(path))
    throw MissingInput(fmt::format("{}: the weights of encoder '{}' are not here; {}", display_path(path), preset.name,
                                   how_to_get(preset)));
  const auto file = std::make_shared<const MappedFile>(path);
  if (!weights_file) check_weights(file->bytes(), preset, path);
  const std::string digest = weights_file ? sha256(file->bytes()) : preset.weights.sha256;
  Net net = create_net(preset, read_tensors(file->bytes(), path, file), path);
  cbir_net_info info{};
  nets().describe(net.get(), &info);
  const auto side = static_cast<std::uint32_t>(preset.preprocessing.crop);
  if (info.dim != static_cast<std::uint32_t>(preset.dimension) || info.width != side || info.height != side)
    throw Incompatible(
        fmt::format("encoder '{}': the network gives {} numbers from {} x {} pixels, the preset says {} from {} x {}",
                    preset.name, info.dim, info.width, info.height, preset.dimension, side, side));
  log(LogLevel::debug, fmt::format("encoder '{}' with weights {}", preset.name, display_path(path)));
  return std::make_unique<NetEncoder>(preset, fingerprint(preset, digest), std::move(net));
}

}  // namespace cbir
