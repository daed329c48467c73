#include <cbir/encoder/detector_preset.hpp>

#include "fields.hpp"
#include "preset_head.hpp"

namespace cbir {

DetectorPreset parse_detector_preset(std::string_view json, const std::string& name) {
  constexpr std::uint64_t kSmallest = 32, kLargest = 4096;
  const nlohmann::json document = parse_preset_document(json, name);
  DetectorPreset out;
  Fields fields(document, name, "");
  parse_preset_head(fields, document, out);
  if (out.kind != PresetKind::detector) fields.fail("kind", "is not 'detector'");
  if (out.network != "yolov5" && out.network != "onnx")
    fields.fail("network", fmt::format("is '{}'; 'yolov5' or 'onnx' was expected", out.network));
  if (fields.has("size")) out.size = static_cast<int>(fields.number("size", kSmallest, kLargest));
  if (fields.has("classes")) {
    const auto& list = fields.required("classes");
    if (!list.is_array()) fields.fail("classes", "is not a list of names");
    for (const auto& item : list) {
      if (!item.is_string()) fields.fail("classes", "is not a list of names");
      out.classes.push_back(item.get<std::string>());
    }
  }
  fields.finish();
  return out;
}

DetectorPreset load_detector_preset(const std::string& name_or_path) {
  const PresetHead head = load_preset_head(name_or_path, PresetKind::detector);
  DetectorPreset out = parse_detector_preset(head.json, name_or_path);
  out.origin = head.origin;
  return out;
}

}  // namespace cbir
