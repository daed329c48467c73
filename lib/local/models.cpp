#include <cbir/base/error.hpp>
#include <cbir/local/local.hpp>

#include <fmt/format.h>

namespace cbir {

std::string_view to_string(GeometricModel model) {
  switch (model) {
    case GeometricModel::affine:
      return "affine";
    case GeometricModel::homography:
      return "homography";
    case GeometricModel::fundamental:
      return "fundamental";
  }
  return "";
}

GeometricModel parse_geometric_model(const std::string& name) {
  for (const auto model : {GeometricModel::affine, GeometricModel::homography, GeometricModel::fundamental})
    if (name == to_string(model)) return model;
  throw UsageError(fmt::format("'{}' is no geometric model: affine, homography or fundamental is", name));
}

}  // namespace cbir
