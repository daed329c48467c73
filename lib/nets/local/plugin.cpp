// The C boundary of local features (cbir/local/local_plugin.h). Everything beyond it may throw; nothing leaves it by
// exception.

#include <cbir/local/local_plugin.h>

#include "../../net_plugin/working_copies.hpp"
#include "../boundary.hpp"
#include "networks.hpp"

using namespace cbir;

struct cbir_local_extractor {
  nets::FeatureSettings settings;
  std::unique_ptr<const nets::FeatureNet> net;  // what is copied for threads
  mutable nets::WorkingCopies<nets::FeatureNet> copies;
};

struct cbir_local_matcher {
  nets::MatcherSettings settings;
  std::unique_ptr<const nets::MatchNet> net;
  mutable nets::WorkingCopies<nets::MatchNet> copies;
};

namespace {

int create_extractor(const cbir_net_source* source, cbir_local_extractor** extractor, char* message,
                     std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    auto made = std::make_unique<cbir_local_extractor>();
    made->settings = nets::parse_feature_settings(source->preset_json);
    nets::Parameters parameters(source->tensors, source->tensor_count);
    made->net = nets::make_feature_net(made->settings, parameters);
    *extractor = made.release();
  });
}

void describe_extractor(const cbir_local_extractor* extractor, cbir_local_extractor_info* info) {
  info->dim = static_cast<std::uint32_t>(extractor->settings.dimension);
  info->binary = 0;
}

int extract(const cbir_local_extractor* extractor, const cbir_net_picture* picture, std::uint32_t keypoints,
            void (*sink)(void*, const cbir_local_features*), void* context, char* message, std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    const auto net = extractor->copies.take([&] { return extractor->net->clone(); });
    const nets::Features found = net->find(*picture, keypoints);
    const cbir_local_features features = {.width = picture->width,
                                          .height = picture->height,
                                          .count = static_cast<std::uint32_t>(found.keypoints.size()),
                                          .dim = static_cast<std::uint32_t>(extractor->settings.dimension),
                                          .keypoints = found.keypoints.data(),
                                          .descriptors = found.descriptors.data(),
                                          .bits = nullptr};
    sink(context, &features);
  });
}

void destroy_extractor(cbir_local_extractor* extractor) { delete extractor; }

int create_matcher(const cbir_net_source* source, cbir_local_matcher** matcher, char* message,
                   std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    auto made = std::make_unique<cbir_local_matcher>();
    made->settings = nets::parse_matcher_settings(source->preset_json);
    nets::Parameters parameters(source->tensors, source->tensor_count);
    made->net = nets::make_match_net(made->settings, parameters);
    *matcher = made.release();
  });
}

/// Keypoints and descriptors as the matcher was made for.
void check(const cbir_local_matcher& matcher, const cbir_local_features& features) {
  if (features.count && (features.dim != matcher.settings.dimension || !features.keypoints || !features.descriptors))
    throw Error(ExitCode::incompatible, "matcher '" + matcher.settings.network + "' was made for descriptors of " +
                                            std::to_string(matcher.settings.dimension) + " numbers, not of " +
                                            std::to_string(features.dim));
}

int match(const cbir_local_matcher* matcher, const cbir_local_features* a, const cbir_local_features* b,
          void (*sink)(void*, const cbir_local_match*, std::size_t), void* context, char* message,
          std::size_t message_size) {
  return nets::run_guarded(message, message_size, [&] {
    check(*matcher, *a);
    check(*matcher, *b);
    std::vector<cbir_local_match> matches;
    if (a->count && b->count) {
      const auto net = matcher->copies.take([&] { return matcher->net->clone(); });
      matches = net->match(*a, *b);
    }
    sink(context, matches.data(), matches.size());
  });
}

void destroy_matcher(cbir_local_matcher* matcher) { delete matcher; }

constexpr cbir_local_api kApi = {CBIR_LOCAL_ABI, create_extractor,  describe_extractor,
                                 extract,        destroy_extractor, create_matcher,
                                 match,          destroy_matcher};

}  // namespace

extern "C" __attribute__((visibility("default"))) const cbir_local_api* cbir_local_plugin(void) {
  nets::keep_freed_memory();
  return &kApi;
}
