#include "networks.hpp"

#include <fmt/format.h>

#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/fetch.hpp>
#include <cbir/encoder/local_preset.hpp>
#include <cbir/weights/tensors.hpp>

#include "boundary.hpp"

namespace cbir {
namespace {

/// A checkpoint as plug-ins take it. What it points to lives as long as it does, and the preset.
class NetSource {
 public:
  NetSource(const PresetHead& preset, Bytes file) : tensors_(read_tensors(file, weights_path(preset))) {
    types_.reserve(tensors_.size());
    for (const auto& [name, tensor] : tensors_) {
      types_.emplace_back(to_string(tensor.type));
      list_.push_back(
          {name.c_str(), types_.back().c_str(), tensor.shape.data(), tensor.shape.size(), tensor.data.data()});
    }
    source_ = {.preset_json = preset.json.c_str(),
               .precision = "float32",
               .device = "cpu",
               .tensors = list_.data(),
               .tensor_count = list_.size(),
               .file = file.data(),
               .file_size = file.size()};
  }
  NetSource(const NetSource&) = delete;
  NetSource& operator=(const NetSource&) = delete;

  const cbir_net_source& get() const noexcept { return source_; }

 private:
  TensorMap tensors_;
  std::vector<std::string> types_;
  std::vector<cbir_net_tensor> list_;
  cbir_net_source source_{};
};

/// Reads and checks the preset's weights, and calls make(plug-in, source, weights' SHA-256). What that reports is about
/// the weights: the message names them.
template <typename Make>
auto with_weights(const PresetHead& preset, Make make) {
  const cbir_local_api& plugin = local_plugin("nets");
  const CheckedFile weights = open_source(preset, preset.weights);
  const NetSource source(preset, weights.file.bytes());
  try {
    auto made = make(plugin, source.get(), weights.sha256);
    log(LogLevel::debug, fmt::format("{} '{}' with weights {}", to_string(preset.kind), preset.name,
                                     display_path(weights_path(preset))));
    return made;
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{}: does not make {} '{}': {}", display_path(weights_path(preset)),
                                          to_string(preset.kind), preset.name, error.what()));
  }
}

}  // namespace

std::unique_ptr<LocalExtractor> open_network_extractor(const LocalOptions& options) {
  const FeaturesPreset preset = load_features_preset(options.features);
  return with_weights(preset,
                      [&](const cbir_local_api& plugin, const cbir_net_source& source, const std::string& sha256) {
                        LocalKind kind{.name = preset.name, .fingerprint = fingerprint(preset, sha256)};
                        return make_extractor(plugin, source, std::move(kind), options);
                      });
}

std::unique_ptr<LocalMatcher> open_network_matcher(const std::string& name, const LocalKind& kind) {
  const MatcherPreset preset = load_matcher_preset(name);
  if (kind.name != preset.features || kind.binary || kind.dim != static_cast<std::size_t>(preset.dimension))
    throw Incompatible(fmt::format(
        "matcher '{}' was made for '{}', {} numbers, not for '{}', {} {}; matcher nn takes any features", preset.name,
        preset.features, preset.dimension, kind.name, kind.dim, kind.binary ? "bytes" : "numbers"));
  return with_weights(preset, [&](const cbir_local_api& plugin, const cbir_net_source& source, const std::string&) {
    return make_matcher(plugin, source);
  });
}

}  // namespace cbir
