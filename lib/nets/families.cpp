#include "families.hpp"

#include <map>

namespace cbir::nets {

at::Tensor Runner::run_text(const at::Tensor&) const {
  throw Error(ExitCode::incompatible, "this network reads no text");
}

std::unique_ptr<Model> make_model(const Settings& settings, Parameters& parameters) {
  static const std::map<std::string, std::unique_ptr<Model> (*)(const Settings&, Parameters&)> families = {
      {"clip-vit-b-16", make_clip},
      {"clip-vit-b-32", make_clip},
      {"clip-vit-l-14", make_clip},
      {"dinov2-vitb14", make_dinov2},
      {"dinov2-vits14", make_dinov2},
      {"efficientnet-lite0", make_efficientnet_lite0},
      {"mobilenet-v3-large", make_mobilenet_v3},
      {"resnet18", make_resnet},
      {"resnet34", make_resnet},
      {"resnet50", make_resnet},
      {"resnet101", make_resnet},
      {"resnet50-gem", make_retrieval_resnet},
      {"resnet101-gem", make_retrieval_resnet},
      {"vgg16", make_vgg16},
  };
  const auto family = families.find(settings.network);
  if (family != families.end()) return family->second(settings, parameters);
  std::string known;
  for (const auto& [name, make] : families) known += (known.empty() ? "" : ", ") + name;
  throw Error(ExitCode::incompatible, "network '" + settings.network + "' is not known; known are: " + known);
}

}  // namespace cbir::nets
