#pragma once
/// What an ONNX file says of itself: inputs, outputs, and the names of what lies between them. It is a message of
/// Protocol Buffers, ModelProto of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3; the computation itself is
/// OpenCV's business.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace cbir::onnx {

/// A side of a tensor.
struct Dimension {
  std::int64_t size = 0;  ///< 0: any
  std::string name;       ///< of one that may be any, if it has one
};

/// An input or output.
struct Value {
  std::string name;
  std::int64_t type = 0;  ///< TensorProto.DataType; 0: not said, or no tensor
  std::optional<std::vector<Dimension>> shape;
};

constexpr std::int64_t kFloat32 = 1;  ///< TensorProto.DataType

struct ModelFile {
  std::vector<Value> inputs;  ///< without those that the file has values for
  std::vector<Value> outputs;
  std::set<std::string> inner;                  ///< names of all that is computed, outputs included
  std::map<std::string, std::string> metadata;  ///< what else who exported it wrote down; the first of each key
};

/// Throws Error: damaged if it is not an ONNX file; incompatible if parts of it lie in other files.
ModelFile read_model_file(std::string_view file);

/// "1 x 3 x height x 224"; "of unknown shape".
std::string to_text(const std::optional<std::vector<Dimension>>& shape);

/// "float32"
std::string type_name(std::int64_t type);

}  // namespace cbir::onnx
