#pragma once
/// An ONNX file in a form that every OpenCV's dnn from 4.6 on reads.

#include <cstdint>
#include <string>
#include <string_view>

namespace cbir::onnx {

/// What is changed on the way.
struct Changes {
  std::string input;  ///< gets the shape 1 x 3 x height x width
  std::int64_t height = 0, width = 0;
  std::string more_output = {};  ///< something that is computed on the way; empty: none
};

/// The file, with these changes, and others where its meaning stays the same:
///   - The input's shape is fixed: with dynamic sides, OpenCV 4.6 computes some means over nothing, which gives NaN.
///   - Clip whose limits are inputs (operator set 11; ReLU6 is written so) gets them as attributes (set 6): OpenCV 4.6
///     knows no others.
///   - Identity of a parameter, as PyTorch writes it for parameters that are equal, becomes a parameter.
/// Throws Error: damaged, or incompatible if more than 2 GiB come out, which Protocol Buffers cannot read.
std::string for_opencv(std::string_view file, const Changes& changes);

}  // namespace cbir::onnx
