#include "networks.hpp"

#include <map>
#include <string>

namespace cbir::nets {
namespace {

template <typename Net, typename Settings>
using Makers = std::map<std::string, std::unique_ptr<Net> (*)(const Settings&, Parameters&), std::less<>>;

template <typename Net, typename Settings>
std::unique_ptr<Net> make(const Makers<Net, Settings>& makers, const char* what, const Settings& settings,
                          Parameters& parameters) {
  const auto found = makers.find(settings.network);
  if (found != makers.end()) return found->second(settings, parameters);
  std::string known;
  for (const auto& [name, maker] : makers) known += (known.empty() ? "'" : ", '") + name + "'";
  throw Error(ExitCode::incompatible,
              std::string(what) + " '" + settings.network + "' is not known; known are: " + known);
}

}  // namespace

std::unique_ptr<FeatureNet> make_feature_net(const FeatureSettings& settings, Parameters& parameters) {
  static const Makers<FeatureNet, FeatureSettings> makers = {{"aliked-n16", make_aliked},
                                                             {"aliked-n32", make_aliked},
                                                             {"aliked-t16", make_aliked},
                                                             {"superpoint", make_superpoint},
                                                             {"xfeat", make_xfeat}};
  return make(makers, "network of local features", settings, parameters);
}

std::unique_ptr<MatchNet> make_match_net(const MatcherSettings& settings, Parameters& parameters) {
  static const Makers<MatchNet, MatcherSettings> makers = {{"lightglue", make_lightglue},
                                                           {"superglue", make_superglue}};
  return make(makers, "matcher", settings, parameters);
}

}  // namespace cbir::nets
