#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include <cbir/detect/detect_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/base/text.hpp>
#include <cbir/detect/detector.hpp>
#include <cbir/encoder/detector_preset.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/weights/attributes.hpp>
#include <cbir/weights/tensors.hpp>

#include "letterbox.hpp"
#include "rounding.hpp"
#include "suppression.hpp"

namespace cbir {
namespace {

using Message = std::array<char, 1024>;

constexpr int kSmallest = 32, kLargest = 4096;  // side of the input

const cbir_detect_api* load_api(const std::string& plugin) {
  using Entry = const cbir_detect_api* (*)();
  const cbir_detect_api* found = reinterpret_cast<Entry>(load_plugin(plugin, "cbir_detect_plugin"))();
  if (found->abi != CBIR_DETECT_ABI)
    throw Incompatible(fmt::format(
        "the plug-in libcbir_{}.so has ABI version {}, {} was expected; install library and plug-in of one version",
        plugin, found->abi, CBIR_DETECT_ABI));
  return found;
}

bool is_onnx(const DetectorPreset& preset) { return preset.network == "onnx"; }

/// What a weights file is whose name is given instead of a preset's.
DetectorPreset preset_of_weights(const std::string& path) {
  DetectorPreset preset;
  preset.kind = PresetKind::detector;
  preset.name = base_name(path);
  preset.network = path.ends_with(".onnx") ? "onnx" : "yolov5";
  return preset;
}

bool names_weights(const std::string& model) {
  return std::ranges::any_of(std::array{".pt", ".pth", ".safetensors", ".onnx"},
                             [&](const char* ending) { return model.ends_with(ending); });
}

/// A detector, and the plug-in that runs it.
class Network {
 public:
  Network(const DetectorPreset& preset, const std::string& path, Bytes file,
          const std::shared_ptr<const MappedFile>& owner, const DetectorOptions& options)
      : name_(preset.name), api_(load_api(is_onnx(preset) ? "onnx" : "nets")) {
    const TensorMap tensors = is_onnx(preset) ? TensorMap() : read_tensors(file, path, owner);
    std::vector<std::string> types;
    std::vector<cbir_net_tensor> list;
    types.reserve(tensors.size());
    for (const auto& [name, tensor] : tensors) {
      types.emplace_back(to_string(tensor.type));
      list.push_back(
          {name.c_str(), types.back().c_str(), tensor.shape.data(), tensor.shape.size(), tensor.data.data()});
    }
    const std::string json = nlohmann::json{{"network", preset.network}}.dump();
    const cbir_net_source source{.preset_json = json.c_str(),
                                 .precision = options.precision.c_str(),
                                 .device = options.device.c_str(),
                                 .tensors = list.data(),
                                 .tensor_count = list.size(),
                                 .file = file.data(),
                                 .file_size = file.size()};
    Message message{};
    if (const int code = api_->create(&source, &detector_, message.data(), message.size()); code != 0)
      throw Error(static_cast<ExitCode>(code),
                  fmt::format("{}: does not make detector '{}': {}", display_path(path), preset.name, message.data()));
    api_->describe(detector_, &info_);
  }
  ~Network() {
    if (detector_) api_->destroy(detector_);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const cbir_detector_info& info() const noexcept { return info_; }

  std::vector<cbir_detect_candidate> run(const Image& input, float min_confidence) const {
    std::vector<cbir_detect_candidate> out;
    const cbir_net_picture picture{input.data.data(), static_cast<std::uint32_t>(input.width),
                                   static_cast<std::uint32_t>(input.height)};
    const auto sink = [](void* context, const cbir_detect_candidate* candidates, std::size_t count) {
      static_cast<std::vector<cbir_detect_candidate>*>(context)->assign(candidates, candidates + count);
    };
    Message message{};
    if (const int code = api_->detect(detector_, &picture, min_confidence, sink, &out, message.data(), message.size());
        code != 0)
      throw Error(static_cast<ExitCode>(code), fmt::format("detector '{}': {}", name_, message.data()));
    return out;
  }

 private:
  std::string name_;
  const cbir_detect_api* api_;
  cbir_detector* detector_ = nullptr;
  cbir_detector_info info_{};
};

/// Names out of a JSON list, or object from numbers to names. Empty unless there is one for each of `count` classes.
std::vector<std::string> names_of(const nlohmann::json& names, std::size_t count) {
  std::vector<std::string> out(count);
  if (!(names.is_array() || names.is_object()) || names.size() != count) return {};
  for (std::size_t i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    if (names.is_object() && !names.contains(key)) return {};
    const nlohmann::json& name = names.is_array() ? names[i] : names[key];
    if (!name.is_string()) return {};
    out[i] = name.get<std::string>();
  }
  return out;
}

/// A network made for other strides gives boxes of other places.
void check_strides(const nlohmann::json& attributes, const std::string& path) {
  const auto found = attributes.find("stride");
  if (found == attributes.end() || !found->is_array()) return;
  double expected = 8;
  for (const nlohmann::json& stride : *found) {
    if (!stride.is_number() || stride.get<double>() != expected)
      throw Incompatible(fmt::format("{}: the model's strides are {}; 8, 16, 32 (and 64) were expected",
                                     display_path(path), found->dump()));
    expected *= 2;
  }
}

class NetDetector : public Detector {
 public:
  NetDetector(const DetectorPreset& preset, const std::string& path, const DetectorOptions& options)
      : NetDetector(preset, path, std::make_shared<const MappedFile>(path), options) {}

  const std::vector<std::string>& classes() const override { return names_; }

  std::vector<Detection> detect(const Image& picture) const override {
    const Letterboxed input = letterbox(picture, letterbox_);
    std::vector<cbir_detect_candidate> found = network_.run(input.picture, static_cast<float>(options_.min_confidence));
    if (!wanted_.empty())
      std::erase_if(found,
                    [&](const cbir_detect_candidate& candidate) { return !wanted_.contains(candidate.class_id); });
    std::vector<Detection> out;
    for (const std::size_t i : suppress(found, static_cast<float>(options_.max_overlap), options_.max)) {
      const cbir_detect_candidate& candidate = found[i];
      const auto edge = [&](float middle, float size, double before) {
        return (static_cast<double>(middle + size) - before) / input.scale;
      };
      Detection detection{.x1 = edge(candidate.x, -candidate.width / 2, input.left),
                          .y1 = edge(candidate.y, -candidate.height / 2, input.top),
                          .x2 = edge(candidate.x, candidate.width / 2, input.left),
                          .y2 = edge(candidate.y, candidate.height / 2, input.top),
                          .class_id = static_cast<int>(candidate.class_id),
                          .class_name = names_.empty() ? std::string() : names_[candidate.class_id],
                          .confidence = static_cast<double>(candidate.confidence)};
      if (round_corners(detection, picture.width, picture.height)) out.push_back(std::move(detection));
    }
    return out;
  }

 private:
  NetDetector(const DetectorPreset& preset, const std::string& path, const std::shared_ptr<const MappedFile>& file,
              const DetectorOptions& options)
      : options_(options), network_(preset, path, file->bytes(), file, options) {
    const cbir_detector_info& info = network_.info();
    find_names(preset, path, file->bytes());
    set_input(preset, info);
    for (const std::string& name : options.classes) wanted_.insert(class_of(name, preset));
  }

  void find_names(const DetectorPreset& preset, const std::string& path, Bytes file) {
    const std::size_t count = network_.info().classes;
    names_ = names_of(preset.classes, count);
    if (is_onnx(preset)) {
      if (names_.empty() && network_.info().names[0] != '\0')
        names_ = names_of(nlohmann::json::parse(network_.info().names), count);
      return;
    }
    const nlohmann::json attributes = nlohmann::json::parse(read_attributes(file, path));
    check_strides(attributes, path);
    if (names_.empty() && attributes.contains("names")) names_ = names_of(attributes["names"], count);
  }

  void set_input(const DetectorPreset& preset, const cbir_detector_info& info) {
    const auto stride = static_cast<int>(info.stride);
    const int wanted = options_.size != 0 ? options_.size : preset.size;
    const int size = (wanted + stride - 1) / stride * stride;  // as the original's check_img_size
    letterbox_ = {.width = size, .height = size, .stride = stride, .square = false};
    if (info.width == 0) return;
    letterbox_ = {.width = static_cast<int>(info.width),
                  .height = static_cast<int>(info.height),
                  .stride = stride,
                  .square = true};
    if (options_.size != 0 && options_.size != letterbox_.width)
      throw Incompatible(fmt::format("detector '{}' takes pictures of {} x {} pixels, not of {}", preset.name,
                                     info.width, info.height, options_.size));
  }

  std::uint32_t class_of(const std::string& name, const DetectorPreset& preset) const {
    if (const auto found = std::ranges::find(names_, name); found != names_.end())
      return static_cast<std::uint32_t>(found - names_.begin());
    std::uint64_t number = 0;
    if (parse_number(name, number) && number < network_.info().classes) return static_cast<std::uint32_t>(number);
    std::string known;
    for (const std::string& each : names_) known += (known.empty() ? "" : ", ") + each;
    throw Incompatible(
        fmt::format("detector '{}' knows no class '{}'; {}", preset.name, display_path(name),
                    names_.empty() ? fmt::format("it names none, and has {}", counted(network_.info().classes, "class"))
                                   : "known are: " + known));
  }

  DetectorOptions options_;
  Network network_;
  LetterboxOptions letterbox_;
  std::vector<std::string> names_;
  std::set<std::uint32_t> wanted_;
};

void check(const DetectorOptions& options) {
  const auto share = [](const char* what, double value) {
    if (!(value >= 0 && value <= 1)) throw UsageError(fmt::format("{} {}: 0 to 1 was expected", what, value));
  };
  share("a least confidence of", options.min_confidence);
  share("an overlap of", options.max_overlap);
  if (options.size != 0 && (options.size < kSmallest || options.size > kLargest))
    throw UsageError(fmt::format("an input of {} pixels: {} to {} was expected", options.size, kSmallest, kLargest));
}

}  // namespace

DetectorChoice choose_detector(const std::string& model, const DetectorOptions& options) {
  check(options);
  const bool direct = names_weights(model);
  const DetectorPreset preset = direct ? preset_of_weights(model) : load_detector_preset(model);
  const std::string path = options.weights ? *options.weights : direct ? model : weights_path(preset);
  const std::string digest =
      direct || options.weights ? sha256(MappedFile(path).bytes()) : open_source(preset, preset.weights).sha256;
  const nlohmann::json identity = {{"detector", preset.network},
                                   {"weights", digest},
                                   {"size", options.size != 0 ? options.size : preset.size},
                                   {"min_confidence", options.min_confidence},
                                   {"max_overlap", options.max_overlap},
                                   {"max", options.max},
                                   {"classes", options.classes},
                                   {"precision", options.precision},
                                   {"device", options.device}};
  return {.identity = identity.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
          .open = [preset, path, options] { return std::make_unique<NetDetector>(preset, path, options); }};
}

std::unique_ptr<Detector> open_detector(const std::string& model, const DetectorOptions& options) {
  return choose_detector(model, options).open();
}

}  // namespace cbir
