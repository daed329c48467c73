#pragma once
/// The names of a detector's classes, as those who export detectors write them into the metadata of an ONNX file.

#include <string>
#include <string_view>
#include <vector>

namespace cbir::onnx {

/// Out of what Python prints for a dict of numbers to names, "{0: 'person', 1: \"sheep's head\"}", or for a list of
/// names. Empty if it is anything else, or the numbers are not 0, 1, 2, ...
std::vector<std::string> class_names(std::string_view text);

}  // namespace cbir::onnx
