#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <cbir/encoder/net_plugin.h>
#include <cbir/base/excerpt.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/text/clip_tokenizer.hpp>
#include <cbir/weights/tensors.hpp>

namespace cbir {
namespace {

using Message = std::array<char, 1024>;

const cbir_net_api* load_nets(const std::string& name) {
  using Entry = const cbir_net_api* (*)();
  const cbir_net_api* found = reinterpret_cast<Entry>(load_plugin(name, "cbir_net_plugin"))();
  if (found->abi != CBIR_NET_ABI)
    throw Incompatible(fmt::format(
        "the plug-in libcbir_{}.so has ABI version {}, {} was expected; install library and plug-in of one version",
        name, found->abi, CBIR_NET_ABI));
  return found;
}

/// The network that is described by its file, and not built from parameters.
bool is_onnx(const Preset& preset) { return preset.network == "onnx"; }

const cbir_net_api& plugin_for(const Preset& preset) {
  if (is_onnx(preset)) {
    static const cbir_net_api* const onnx = load_nets("onnx");
    return *onnx;
  }
  static const cbir_net_api* const nets = load_nets("nets");
  return *nets;
}

/// A network, and the plug-in that runs it.
class Net {
 public:
  Net(const cbir_net_api& api, const cbir_net_source& source, const Preset& preset, const std::string& weights_file)
      : api_(&api) {
    Message message{};
    if (const int code = api.create(&source, &net_, message.data(), message.size()); code != 0)
      throw Error(static_cast<ExitCode>(code), fmt::format("{}: does not make encoder '{}': {}",
                                                           display_path(weights_file), preset.name, message.data()));
    api.describe(net_, &info_);
  }
  ~Net() {
    if (net_) api_->destroy(net_);
  }
  Net(Net&& other) noexcept : api_(other.api_), net_(std::exchange(other.net_, nullptr)), info_(other.info_) {}
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  const cbir_net_info& info() const noexcept { return info_; }

  template <typename Input>
  void run(int (*call)(const cbir_net*, const Input*, std::size_t, float*, char*, std::size_t), const Input* inputs,
           std::size_t count, float* out, const Preset& preset) const {
    Message message{};
    if (const int code = call(net_, inputs, count, out, message.data(), message.size()); code != 0)
      throw Error(static_cast<ExitCode>(code), fmt::format("encoder '{}': {}", preset.name, message.data()));
  }
  const cbir_net_api& api() const noexcept { return *api_; }

 private:
  const cbir_net_api* api_;
  cbir_net* net_ = nullptr;
  cbir_net_info info_{};
};

Net create_net(const Preset& preset, const EncoderOptions& options, const std::shared_ptr<const MappedFile>& file,
               const std::string& path) {
  cbir_net_source source{.preset_json = preset.json.c_str(),
                         .precision = options.precision.c_str(),
                         .device = options.device.c_str(),
                         .tensors = nullptr,
                         .tensor_count = 0,
                         .file = file->bytes().data(),
                         .file_size = file->bytes().size()};
  const TensorMap tensors = is_onnx(preset) ? TensorMap() : read_tensors(file->bytes(), path, file);
  std::vector<std::string> types;
  types.reserve(tensors.size());
  std::vector<cbir_net_tensor> list;
  list.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    types.emplace_back(to_string(tensor.type));
    list.push_back({name.c_str(), types.back().c_str(), tensor.shape.data(), tensor.shape.size(), tensor.data.data()});
  }
  source.tensors = list.data();
  source.tensor_count = list.size();
  return {plugin_for(preset), source, preset, path};
}

/// Sums in double precision and in order, so that the same vector always gives the same bytes. `input` is what it is
/// the vector of, for messages.
void normalise(std::span<float> row, bool l2, std::string_view input) {
  double squares = 0;
  for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
  if (!std::isfinite(squares)) throw DamagedFile(fmt::format("the network gave a NaN or an infinity for {}", input));
  if (!l2) return;
  if (squares == 0) throw DamagedFile(fmt::format("the network gave all zeros for {}, which has no direction", input));
  const double scale = 1 / std::sqrt(squares);
  for (float& x : row) x = static_cast<float>(x * scale);
}

/// Text into tokens. The vocabulary is read when first needed.
class Tokenizer {
 public:
  /// Throws MissingInput, DamagedFile, and Incompatible if it has other tokens than the network.
  const ClipTokenizer& open(const Preset& preset, std::uint32_t vocabulary) const {
    const std::lock_guard lock(mutex_);
    if (!opened_) {
      const MappedFile file = open_source(preset, preset.text->vocabulary).file;
      auto opened = std::make_unique<ClipTokenizer>(file.bytes(), file.path());
      if (opened->size() != vocabulary)
        throw Incompatible(fmt::format("{}: a vocabulary of {} tokens, but the network of encoder '{}' has {}",
                                       display_path(file.path()), opened->size(), preset.name, vocabulary));
      opened_ = std::move(opened);
    }
    return *opened_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const ClipTokenizer> opened_;
};

class NetEncoder : public Encoder {
 public:
  NetEncoder(Preset preset, std::string fingerprint, Net net)
      : Encoder(std::move(preset), std::move(fingerprint)), net_(std::move(net)) {
    const auto side = static_cast<std::size_t>(this->preset().preprocessing.crop);
    blank_.resize(side * side * 3);
  }

  std::size_t dim() const override { return static_cast<std::size_t>(preset().dimension); }
  std::string precision() const override { return net_.info().precision; }
  std::string device() const override { return net_.info().device; }

  void encode(std::span<const Image> pictures, MatrixView<float> out) const override {
    check_room(pictures.size(), out);
    // An empty slot costs nothing where the others do not depend on it, else it is run as a black picture; but for
    // pictures of sizes of their own, where it has none.
    const bool blanks = !net_.info().independent && preset().preprocessing.crop_mode != Crop::none;
    const auto side = static_cast<std::uint32_t>(preset().preprocessing.crop);
    std::vector<cbir_net_picture> inputs;
    std::vector<std::size_t> rows;  // of the inputs
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const Image& picture = pictures[i];
      const bool blank = picture.data.empty();
      std::ranges::fill(out.row(i), 0.0F);
      if (blank && !blanks) continue;
      if (blank) inputs.push_back({blank_.data(), side, side});
      else
        inputs.push_back({picture.data.data(), static_cast<std::uint32_t>(picture.width),
                          static_cast<std::uint32_t>(picture.height)});
      rows.push_back(i);
    }
    if (inputs.empty()) return;
    if (inputs.size() == out.rows && out.stride == out.cols) {
      net_.run(net_.api().encode, inputs.data(), inputs.size(), out.data, preset());
    } else {
      std::vector<float> vectors(inputs.size() * dim());
      net_.run(net_.api().encode, inputs.data(), inputs.size(), vectors.data(), preset());
      for (std::size_t k = 0; k < rows.size(); ++k)
        std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(k * dim()), dim(), out.row(rows[k]).begin());
    }
    for (const std::size_t i : rows) {
      if (pictures[i].data.empty()) std::ranges::fill(out.row(i), 0.0F);
      else normalise(out.row(i), preset().normalization == "l2", "this picture");
    }
  }

  std::vector<TextLength> encode_text(std::span<const std::string> texts, MatrixView<float> out) const override {
    check_room(texts.size(), out);
    require_text(preset());
    const std::size_t context = net_.info().context;
    if (context != static_cast<std::size_t>(preset().text->context))
      throw Incompatible(fmt::format("encoder '{}': the network reads texts of {} tokens, the preset says {}",
                                     preset().name, context, preset().text->context));
    const ClipTokenizer& tokenizer = tokenizer_.open(preset(), net_.info().vocabulary);
    std::vector<std::int32_t> tokens;
    tokens.reserve(texts.size() * context);
    std::vector<TextLength> lengths;
    for (const std::string& text : texts) {
      if (!is_utf8(text))
        throw Incompatible(fmt::format("not UTF-8: {}; convert it, e.g. with iconv -f latin1 -t utf-8", excerpt(text)));
      const ClipText read = tokenizer.tokenize(text, context);
      tokens.insert(tokens.end(), read.tokens.begin(), read.tokens.end());
      lengths.push_back({.tokens = read.needed, .read = context});
    }
    // Where texts of one call could touch each other, each gets a call of its own.
    const std::size_t step = net_.info().independent ? std::max<std::size_t>(1, texts.size()) : 1;
    std::vector<float> vectors(texts.size() * dim());
    for (std::size_t i = 0; i < texts.size(); i += step)
      net_.run(net_.api().encode_text, tokens.data() + i * context, step, vectors.data() + i * dim(), preset());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::copy_n(vectors.begin() + static_cast<std::ptrdiff_t>(i * dim()), dim(), out.row(i).begin());
      normalise(out.row(i), preset().normalization == "l2", "the text " + excerpt(texts[i]));
    }
    return lengths;
  }

 private:
  void check_room(std::size_t inputs, const MatrixView<float>& out) const {
    if (inputs != out.rows || out.cols != dim())
      throw Error(ExitCode::internal, fmt::format("encode: {} inputs for {} x {} numbers", inputs, out.rows, out.cols));
  }

  Net net_;
  Tokenizer tokenizer_;
  std::vector<std::uint8_t> blank_;
};

Incompatible no_text(const Preset& preset) {
  return Incompatible(
      fmt::format("encoder '{}' reads pictures only, no text; one that reads both is clip-vit-b-32", preset.name));
}

/// The input size that the preset makes, which the network must agree with.
void check_shape(const Preset& preset, const cbir_net_info& info) {
  if (info.dim != static_cast<std::uint32_t>(preset.dimension))
    throw Incompatible(fmt::format("encoder '{}': the network gives {} numbers, the preset says {}", preset.name,
                                   info.dim, preset.dimension));
  const Preprocessing& input = preset.preprocessing;
  const auto side = static_cast<std::uint32_t>(input.crop);
  if (info.width == 0) return;
  if (input.crop_mode == Crop::none || info.width != side || info.height != side)
    throw Incompatible(fmt::format(
        "encoder '{}': the network takes pictures of {} x {} pixels, not {}", preset.name, info.width, info.height,
        input.crop_mode == Crop::none ? "uncropped ones" : fmt::format("{} x {}", side, side)));
}

}  // namespace

void require_text(const Preset& preset) {
  if (!preset.text) throw no_text(preset);
}

std::vector<TextLength> Encoder::encode_text(std::span<const std::string>, MatrixView<float>) const {
  throw no_text(preset());
}

std::unique_ptr<Encoder> open_encoder(const Preset& preset, const std::optional<std::string>& weights_file,
                                      const EncoderOptions& options) {
  const std::string path = weights_file ? *weights_file : weights_path(preset);
  if (!weights_file && !exists(path))
    throw MissingInput(fmt::format("{}: the weights of encoder '{}' are not here; {}", display_path(path), preset.name,
                                   how_to_get(preset)));
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string digest = sha256(file->bytes());
  if (!weights_file) check_source(file->bytes().size(), digest, preset, preset.weights, path);
  Net net = create_net(preset, options, file, path);
  check_shape(preset, net.info());
  log(LogLevel::debug, fmt::format("encoder '{}' with weights {}, {} on {}", preset.name, display_path(path),
                                   net.info().precision, net.info().device));
  return std::make_unique<NetEncoder>(preset, fingerprint(preset, digest), std::move(net));
}

}  // namespace cbir
