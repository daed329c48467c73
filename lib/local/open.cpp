#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/text.hpp>
#include <cbir/encoder/preset.hpp>
#include <cbir/local/local.hpp>

#include "boundary.hpp"
#include "networks.hpp"
#include "nn.hpp"

namespace cbir {
namespace {

/// What shapes the descriptors of features without weights; the fingerprint is its digest.
struct Classic {
  const char* name;
  const char* preset;
};

constexpr Classic kClassics[] = {
    {"sift", R"({"contrast":0.005,"descriptor":"root","network":"sift","scale":512})"},
    {"orb", R"({"contrast":10,"descriptor":"rbrief","network":"orb","patch":31})"},
};

const Classic* find_classic(const std::string& name) {
  const auto found = std::ranges::find_if(kClassics, [&](const Classic& classic) { return name == classic.name; });
  return found == std::end(kClassics) ? nullptr : found;
}

/// The names, and then those of other presets of the kind.
std::vector<std::string> with_presets(std::vector<std::string> names, PresetKind kind) {
  for (std::string& name : preset_names(kind))
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  return names;
}

void demand_name(const std::string& name, const std::vector<std::string>& names, std::string_view what) {
  if (!name.ends_with(".json") && std::ranges::find(names, name) == names.end())
    throw UsageError(fmt::format("'{}' are no {}: {} are", display_path(name), what, fmt::join(names, ", ")));
}

}  // namespace

std::vector<std::string> local_feature_names() {
  return with_presets({"sift", "orb", "xfeat", "aliked", "superpoint"}, PresetKind::features);
}

std::vector<std::string> local_matcher_names() {
  return with_presets({"nn", "lighterglue", "lightglue", "superglue"}, PresetKind::matcher);
}

void require_local_matcher(const std::string& name) {
  if (name != "nn") demand_name(name, local_matcher_names(), "matcher");
}

std::unique_ptr<LocalExtractor> open_local_extractor(const LocalOptions& options) {
  const Classic* classic = find_classic(options.features);
  if (!classic) {
    demand_name(options.features, local_feature_names(), "features");
    return open_network_extractor(options);
  }
  cbir_net_source source{};
  source.preset_json = classic->preset;
  source.precision = "float32";
  source.device = "cpu";
  LocalKind kind{.name = classic->name, .fingerprint = sha256(std::string_view(classic->preset))};
  return make_extractor(local_plugin("vision"), source, std::move(kind), options);
}

std::unique_ptr<LocalMatcher> open_local_matcher(const std::string& name, const LocalKind& kind) {
  if (name == "nn") return make_nn_matcher(kind, nn_settings(kind));
  require_local_matcher(name);
  return open_network_matcher(name, kind);
}

}  // namespace cbir
