#include "network.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "pooling.hpp"
#include "rewrite.hpp"

namespace cbir::onnx {
namespace {

using Probe = std::pair<int, int>;  // height, width

constexpr std::array kProbes = {Probe(224, 224), Probe(256, 160)};  // of a network for any size
constexpr std::string_view kAuto = "auto";                          // layer: the only output that makes a vector
constexpr std::size_t kMostListed = 8;                              // outputs in a message
constexpr std::size_t kMostText = 300;                              // bytes of OpenCV's in a message
constexpr std::size_t kMostName = 80;

/// A name out of a file from strangers, for a message.
std::string shown(std::string_view text, std::size_t most = kMostName) {
  std::string out(text.substr(0, most));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) c = '?';
  return text.size() > most ? out + "..." : out;
}

std::string in_quotes(std::string_view name) { return "'" + shown(name) + "'"; }

/// "'a' (1 x 512), 'b' (1 x 1000)"
std::string listed(const std::vector<std::pair<std::string, std::string>>& names_and_shapes) {
  std::string out;
  for (std::size_t i = 0; i < std::min(names_and_shapes.size(), kMostListed); ++i)
    out += (i ? ", " : "") + in_quotes(names_and_shapes[i].first) + " (" + names_and_shapes[i].second + ")";
  if (names_and_shapes.size() > kMostListed)
    out += " and " + std::to_string(names_and_shapes.size() - kMostListed) + " more";
  return out;
}

std::string listed(const std::vector<Value>& values) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Value& value : values)
    out.emplace_back(value.name, shown(type_name(value.type) + ", " + to_text(value.shape)));
  return listed(out);
}

[[noreturn]] void incompatible(const std::string& message) { throw Error(ExitCode::incompatible, message); }

/// Calls `body`. What OpenCV cannot do, and what makes no sense in a file whose wire format is sound, look the same.
template <typename Body>
auto with_opencv(const std::string& what, Body body) {
  try {
    return body();
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw;
    incompatible("OpenCV " + cv::getVersionString() + " cannot run this model" + what + ": " + reason(error));
  }
}

/// Vectors of length 1; zeros stay zeros.
void make_unit(std::vector<float>& vector) {
  double squares = 0;
  for (const float x : vector) squares += static_cast<double>(x) * static_cast<double>(x);
  const double scale = 1 / std::max<double>(std::sqrt(squares), std::numeric_limits<float>::min());
  for (float& x : vector) x = static_cast<float>(x * scale);
}

}  // namespace

std::string reason(const cv::Exception& error) {
  std::string_view text = error.err.empty() ? std::string_view(error.what()) : std::string_view(error.err);
  // "> Node [Clip@ai.onnx]:(onnx_node!/7/Clip) parse error: " and where in OpenCV's sources that was found.
  constexpr std::string_view kParseError = " parse error";
  if (text.starts_with("> ")) text.remove_prefix(2);
  if (const auto found = text.find(kParseError); found != text.npos) text = text.substr(0, found + kParseError.size());
  return shown(text, kMostText);
}

Network::Network(nets::PresetSettings settings, std::string_view file)
    : settings_(std::move(settings)), values_(nets::pixel_values(settings_)) {
  if (settings_.scales != std::vector<double>{1})
    incompatible("network 'onnx' sees a picture at one scale; 'scales' must be [1]");
  if (settings_.context != 0) incompatible("network 'onnx' reads no text");
  check_pool(settings_);
  const ModelFile contents = read_model_file(file);
  check_input(contents);
  file_ = file;
  output_ = find_output(contents);
  const bool declared =
      std::any_of(contents.outputs.begin(), contents.outputs.end(), [&](const Value& v) { return v.name == output_; });
  if (!declared) more_output_ = output_;
  try_out();
}

cv::dnn::Net Network::import(std::int64_t height, std::int64_t width) const {
  const std::string model =
      for_opencv(file_, {.input = input_, .height = height, .width = width, .more_output = more_output_});
  return with_opencv("", [&] {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(model.data(), model.size());
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return net;
  });
}

/// Sets input_ and any_size_.
void Network::check_input(const ModelFile& file) {
  if (file.inputs.size() != 1)
    incompatible("the model must have one input, a picture; it has " + std::to_string(file.inputs.size()) +
                 (file.inputs.empty() ? "" : ": " + listed(file.inputs)));
  const Value& input = file.inputs[0];
  const auto refuse = [&](const std::string& expected) {
    incompatible("the model's input is " + listed(file.inputs) + "; " + expected);
  };
  if (input.type != kFloat32 || !input.shape || input.shape->size() != 4)
    refuse("float32, N x 3 x height x width was expected");
  const std::vector<Dimension>& sides = *input.shape;
  const auto may_be = [&](std::size_t side, std::int64_t size) {
    return sides[side].size == 0 || sides[side].size == size;
  };
  if (!may_be(0, 1)) refuse("export it for one picture at a time, or for any number");
  if (!may_be(1, 3)) refuse("float32, N x 3 x height x width was expected");
  any_size_ = sides[2].size == 0 && sides[3].size == 0;
  if (settings_.size == 0 && !any_size_) refuse("it takes pictures of one size, not uncropped ones");
  if (settings_.size != 0 && !(may_be(2, settings_.size) && may_be(3, settings_.size)))
    refuse("the preset makes pictures of " + std::to_string(settings_.size) + " x " + std::to_string(settings_.size) +
           " ('crop')");
  input_ = input.name;
}

/// The name of the output that the preset means.
std::string Network::find_output(const ModelFile& file) const {
  if (file.inner.contains(settings_.layer)) return settings_.layer;
  if (settings_.layer != kAuto)
    incompatible("the model computes nothing that is named " + in_quotes(settings_.layer) + "; its outputs are: " +
                 listed(file.outputs) + "; 'layer' may be one of them, any other name in its graph, or 'auto'");
  if (file.outputs.size() == 1) return file.outputs[0].name;

  // Names and declared shapes say little: all outputs are computed once.
  std::vector<std::string> names;
  for (const Value& output : file.outputs) names.push_back(output.name);
  const auto side = static_cast<int>(settings_.size ? settings_.size : kProbes[0].first);
  cv::dnn::Net net = import(side, side);
  const std::array zeros = {1, 3, side, side};
  net.setInput(cv::Mat(static_cast<int>(zeros.size()), zeros.data(), CV_32F, cv::Scalar(0)), input_);
  std::vector<cv::Mat> results;
  with_opencv("", [&] { net.forward(results, names); });
  std::vector<std::pair<std::string, std::string>> shapes;
  std::vector<std::string> fitting;
  for (std::size_t i = 0; i < results.size(); ++i) {
    shapes.emplace_back(names[i], shape_text(results[i]));
    if (makes_vector(results[i], settings_)) fitting.push_back(names[i]);
  }
  if (fitting.size() != 1)
    incompatible(std::to_string(fitting.size()) +
                 " of the model's outputs could be meant by 'layer': 'auto' and 'pool': " + in_quotes(settings_.pool) +
                 "; name one: " + listed(shapes));
  return fitting[0];
}

/// What the file says is one thing, what it does another: its output must be what the preset says, at the sizes there
/// will be.
void Network::try_out() const {
  std::vector<Probe> probes;
  if (settings_.size != 0) probes = {{static_cast<int>(settings_.size), static_cast<int>(settings_.size)}};
  else probes.assign(kProbes.begin(), kProbes.end());
  auto copy = std::make_unique<Copy>();
  for (const auto& [height, width] : probes) {
    const std::string where = " for pictures of " + std::to_string(width) + " x " + std::to_string(height);
    const std::vector<std::uint8_t> grey(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3, 127);
    const cbir_net_picture picture = {grey.data(), static_cast<std::uint32_t>(width),
                                      static_cast<std::uint32_t>(height)};
    const cv::Mat output = with_opencv(where, [&] { return run(*copy, picture, false); });
    const std::string found = "output " + in_quotes(output_) + " is " + shape_text(output) + where;
    if (!makes_vector(output, settings_))
      incompatible(found + (settings_.pool == "none"
                                ? ", no vector: name another in 'layer', or say in 'pool' how positions become one"
                                : ", which has no positions to pool: 'pool' must be 'none'"));
    if (output.size[1] != settings_.dimension)
      incompatible(found + ", the preset says 'dimension': " + std::to_string(settings_.dimension));
  }
  copies_.add(std::move(copy));
}

cv::Mat Network::run(Copy& copy, const cbir_net_picture& picture, bool mirrored) const {
  if (copy.height != picture.height || copy.width != picture.width) {
    copy.height = copy.width = 0;  // none, should this fail
    copy.net = import(picture.height, picture.width);
    copy.height = picture.height;
    copy.width = picture.width;
  }
  const std::array sides = {1, 3, static_cast<int>(picture.height), static_cast<int>(picture.width)};
  copy.input.create(static_cast<int>(sides.size()), sides.data(), CV_32F);
  float* to = copy.input.ptr<float>();
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t y = 0; y < picture.height; ++y) {
      const std::uint8_t* row = picture.pixels + y * picture.width * 3 + c;
      for (std::size_t x = 0; x < picture.width; ++x)
        *to++ = values_[c][row[3 * (mirrored ? picture.width - 1 - x : x)]];
    }
  copy.net.setInput(copy.input, input_);
  return copy.net.forward(output_);
}

void Network::encode(const cbir_net_picture& picture, float* out) const {
  const auto copy = copies_.take([] { return std::make_unique<Copy>(); });
  const auto vector = [&](bool mirrored) {
    const cv::Mat output = run(*copy, picture, mirrored);
    if (!makes_vector(output, settings_) || output.size[1] != settings_.dimension)
      throw Error(ExitCode::internal, "for a picture of " + std::to_string(picture.width) + " x " +
                                          std::to_string(picture.height) + " the network gave " + shape_text(output));
    return to_vector(output, settings_);
  };
  std::vector<float> result = vector(false);
  if (settings_.flip) {
    std::vector<float> other = vector(true);
    if (settings_.unit) {
      make_unit(result);
      make_unit(other);
    }
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = (result[i] + other[i]) / 2;
  }
  std::copy(result.begin(), result.end(), out);
}

}  // namespace cbir::onnx
