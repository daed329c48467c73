#include "boundary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>

#include <cbir/base/error.hpp>
#include <cbir/base/plugin.hpp>
#include <cbir/image/resize.hpp>

namespace cbir {
namespace {

constexpr std::size_t kMessageSize = 1024;

/// Calls a function of a plug-in, whose last arguments are room for a message; throws what it reports.
template <typename Function, typename... Arguments>
void call(Function function, Arguments... arguments) {
  char message[kMessageSize] = {};
  const int code = function(arguments..., message, sizeof message);
  if (code != 0) throw Error(static_cast<ExitCode>(code), message);
}

/// What a plug-in hands over through a sink, which must not throw.
template <typename Result>
struct Received {
  Result result = {};
  std::exception_ptr error = {};
};

void receive_features(void* context, const cbir_local_features* features) {
  auto& received = *static_cast<Received<LocalFeatures>*>(context);
  try {
    LocalFeatures& out = received.result;
    out.keypoints.reserve(features->count);
    for (std::size_t i = 0; i < features->count; ++i) {
      const cbir_local_keypoint& point = features->keypoints[i];
      out.keypoints.push_back({point.x, point.y, point.size, point.angle, point.score});
    }
    const std::size_t numbers = std::size_t{features->count} * features->dim;
    if (features->descriptors) out.descriptors.assign(features->descriptors, features->descriptors + numbers);
    if (features->bits) out.bits.assign(features->bits, features->bits + numbers);
  } catch (...) {
    received.error = std::current_exception();
  }
}

void receive_matches(void* context, const cbir_local_match* matches, std::size_t count) {
  auto& received = *static_cast<Received<std::vector<LocalMatch>>*>(context);
  try {
    for (std::size_t i = 0; i < count; ++i) received.result.push_back({matches[i].a, matches[i].b, matches[i].score});
  } catch (...) {
    received.error = std::current_exception();
  }
}

int scaled(int side, double factor) { return std::max(1, static_cast<int>(std::lround(side * factor))); }

class PluginExtractor final : public LocalExtractor {
 public:
  PluginExtractor(const cbir_local_api& plugin, const cbir_net_source& source, LocalKind kind,
                  const LocalOptions& options)
      : plugin_(plugin), kind_(std::move(kind)), options_(options) {
    cbir_local_extractor* made = nullptr;
    call(plugin.create_extractor, &source, &made);
    handle_ = {made, plugin.destroy_extractor};
    cbir_local_extractor_info info{};
    plugin.describe_extractor(made, &info);
    kind_.dim = info.dim;
    kind_.binary = info.binary != 0;
  }

  const LocalKind& kind() const override { return kind_; }

  LocalFeatures extract(const Image& picture) const override {
    const int longest = std::max(picture.width, picture.height);
    if (options_.max_side == 0 || longest <= options_.max_side) return extract_whole(picture);
    const double factor = static_cast<double>(options_.max_side) / longest;
    const Image smaller =
        resize(picture, scaled(picture.width, factor), scaled(picture.height, factor), Filter::bilinear);
    LocalFeatures features = extract_whole(smaller);
    const double x = static_cast<double>(picture.width) / smaller.width;
    const double y = static_cast<double>(picture.height) / smaller.height;
    features.width = picture.width;
    features.height = picture.height;
    features.scale = static_cast<float>(1 / factor);
    for (Keypoint& point : features.keypoints) {
      point.x = static_cast<float>((point.x + .5) * x - .5);
      point.y = static_cast<float>((point.y + .5) * y - .5);
      point.size *= features.scale;
    }
    return features;
  }

 private:
  LocalFeatures extract_whole(const Image& picture) const {
    Received<LocalFeatures> received;
    if (picture.width > 0 && picture.height > 0) {
      const cbir_net_picture pixels{picture.data.data(), static_cast<std::uint32_t>(picture.width),
                                    static_cast<std::uint32_t>(picture.height)};
      call(plugin_.extract, static_cast<const cbir_local_extractor*>(handle_.get()), &pixels,
           static_cast<std::uint32_t>(options_.keypoints), receive_features, static_cast<void*>(&received));
    }
    if (received.error) std::rethrow_exception(received.error);
    received.result.width = picture.width;
    received.result.height = picture.height;
    return std::move(received.result);
  }

  const cbir_local_api& plugin_;
  LocalKind kind_;
  LocalOptions options_;
  std::unique_ptr<cbir_local_extractor, void (*)(cbir_local_extractor*)> handle_{nullptr, nullptr};
};

cbir_local_features view_of(const LocalFeatures& features, std::vector<cbir_local_keypoint>& keypoints) {
  for (const Keypoint& point : features.keypoints)
    keypoints.push_back({point.x, point.y, point.size, point.angle, point.score});
  const std::size_t numbers = std::max(features.descriptors.size(), features.bits.size());
  return {.width = static_cast<std::uint32_t>(features.width),
          .height = static_cast<std::uint32_t>(features.height),
          .count = static_cast<std::uint32_t>(features.size()),
          .dim = static_cast<std::uint32_t>(features.keypoints.empty() ? 0 : numbers / features.size()),
          .keypoints = keypoints.data(),
          .descriptors = features.descriptors.empty() ? nullptr : features.descriptors.data(),
          .bits = features.bits.empty() ? nullptr : features.bits.data()};
}

class PluginMatcher final : public LocalMatcher {
 public:
  PluginMatcher(const cbir_local_api& plugin, const cbir_net_source& source) : plugin_(plugin) {
    if (!plugin.create_matcher) throw Incompatible("the plug-in has no matchers");
    cbir_local_matcher* made = nullptr;
    call(plugin.create_matcher, &source, &made);
    handle_ = {made, plugin.destroy_matcher};
  }

  std::vector<LocalMatch> match(const LocalFeatures& a, const LocalFeatures& b) const override {
    if (a.size() == 0 || b.size() == 0) return {};
    std::vector<cbir_local_keypoint> points_a, points_b;
    const cbir_local_features of_a = view_of(a, points_a), of_b = view_of(b, points_b);
    Received<std::vector<LocalMatch>> received;
    call(plugin_.match, static_cast<const cbir_local_matcher*>(handle_.get()), &of_a, &of_b, receive_matches,
         static_cast<void*>(&received));
    if (received.error) std::rethrow_exception(received.error);
    return std::move(received.result);
  }

 private:
  const cbir_local_api& plugin_;
  std::unique_ptr<cbir_local_matcher, void (*)(cbir_local_matcher*)> handle_{nullptr, nullptr};
};

}  // namespace

const cbir_local_api& local_plugin(std::string_view name) {
  using Entry = const cbir_local_api* (*)();
  const auto* api = reinterpret_cast<Entry>(load_plugin(std::string(name), "cbir_local_plugin"))();
  if (api->abi != CBIR_LOCAL_ABI)
    throw Incompatible(
        fmt::format("plug-in '{}': its interface has version {}, {} was expected; install the one that "
                    "belongs to this library",
                    name, api->abi, CBIR_LOCAL_ABI));
  return *api;
}

std::unique_ptr<LocalExtractor> make_extractor(const cbir_local_api& plugin, const cbir_net_source& source,
                                               LocalKind kind, const LocalOptions& options) {
  return std::make_unique<PluginExtractor>(plugin, source, std::move(kind), options);
}

std::unique_ptr<LocalMatcher> make_matcher(const cbir_local_api& plugin, const cbir_net_source& source) {
  return std::make_unique<PluginMatcher>(plugin, source);
}

}  // namespace cbir
