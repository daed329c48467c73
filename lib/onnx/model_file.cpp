#include "model_file.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <cbir/base/boundary.hpp>
#include "fields.hpp"
#include "wire.hpp"

namespace cbir::onnx {
namespace {

constexpr std::size_t kMaxRank = 16;  // no picture and no feature has more sides

Dimension read_dimension(std::string_view message) {
  Dimension out;
  for_each_field(message, [&](const WireField& field) {
    if (field.number == shape::kSize) out.size = std::max<std::int64_t>(0, static_cast<std::int64_t>(field.scalar));
    else if (field.number == shape::kParameter) out.name = field.bytes;
  });
  return out;
}

void read_tensor_type(std::string_view message, Value& out) {
  for_each_field(message, [&](const WireField& field) {
    if (field.number == type::kElement) out.type = static_cast<std::int64_t>(field.scalar);
    if (field.number != type::kShape) return;
    out.shape.emplace();
    for_each_field(field.bytes, [&](const WireField& side) {
      if (side.number == shape::kDimension && out.shape->size() < kMaxRank)
        out.shape->push_back(read_dimension(side.bytes));
    });
  });
}

Value read_value(std::string_view message) {
  Value out;
  for_each_field(message, [&](const WireField& field) {
    if (field.number == value::kName) out.name = field.bytes;
    if (field.number != value::kType) return;
    for_each_field(field.bytes, [&](const WireField& kind) {
      if (kind.number == type::kTensor) read_tensor_type(kind.bytes, out);
    });
  });
  return out;
}

/// The tensor's name. Throws Error if its values are not in this file.
std::string read_tensor_name(std::string_view message) {
  std::string name;
  for_each_field(message, [&](const WireField& field) {
    if (field.number == tensor::kName) name = field.bytes;
    if (field.number == tensor::kDataLocation && field.scalar == tensor::kExternal)
      throw Error(ExitCode::incompatible,
                  "the model keeps its weights in other files ('external data'); save it as one file");
  });
  return name;
}

void read_node(std::string_view message, ModelFile& out) {
  for_each_field(message, [&](const WireField& field) {
    if (field.number == node::kOutput && !field.bytes.empty()) out.inner.emplace(field.bytes);
    if (field.number != node::kAttribute) return;
    for_each_field(field.bytes, [](const WireField& part) {
      if (part.number == attribute::kTensor) read_tensor_name(part.bytes);
    });
  });
}

void read_metadata(std::string_view message, ModelFile& out) {
  std::string key, value;
  for_each_field(message, [&](const WireField& field) {
    if (field.number == metadata::kKey) key = field.bytes;
    if (field.number == metadata::kValue) value = field.bytes;
  });
  out.metadata.emplace(std::move(key), std::move(value));
}

void read_graph(std::string_view message, ModelFile& out, std::set<std::string>& initialised) {
  for_each_field(message, [&](const WireField& field) {
    if (!field.length_delimited) return;
    if (field.number == graph::kNode) read_node(field.bytes, out);
    else if (field.number == graph::kInput) out.inputs.push_back(read_value(field.bytes));
    else if (field.number == graph::kOutput) out.outputs.push_back(read_value(field.bytes));
    else if (field.number == graph::kInitialiser) initialised.insert(read_tensor_name(field.bytes));
    else if (field.number == graph::kSparseInitialiser)
      for_each_field(field.bytes, [&](const WireField& part) {
        if (part.number == sparse_tensor::kValues) initialised.insert(read_tensor_name(part.bytes));
      });
  });
}

}  // namespace

ModelFile read_model_file(std::string_view file) {
  ModelFile out;
  std::set<std::string> initialised;
  for_each_field(file, [&](const WireField& field) {
    if (field.number == model::kGraph && field.length_delimited) read_graph(field.bytes, out, initialised);
    if (field.number == model::kMetadata && field.length_delimited) read_metadata(field.bytes, out);
  });
  // Before version 4 of the format, weights had to be listed as inputs, too.
  std::erase_if(out.inputs, [&](const Value& input) { return initialised.contains(input.name); });
  if (out.inner.empty() || out.outputs.empty())
    throw Error(ExitCode::damaged, "not an ONNX file: it holds no graph with nodes and outputs");
  return out;
}

std::string to_text(const std::optional<std::vector<Dimension>>& shape) {
  if (!shape) return "of unknown shape";
  if (shape->empty()) return "a single number";
  std::string out;
  for (const Dimension& side : *shape) {
    if (!out.empty()) out += " x ";
    if (side.size != 0) out += std::to_string(side.size);
    else out += side.name.empty() ? "?" : side.name;
  }
  return out;
}

std::string type_name(std::int64_t type) {
  constexpr std::array kNames = {"unknown", "float32", "uint8",     "int8",       "uint16",  "int16",
                                 "int32",   "int64",   "string",    "bool",       "float16", "float64",
                                 "uint32",  "uint64",  "complex64", "complex128", "bfloat16"};
  const auto i = static_cast<std::size_t>(type);
  return i < kNames.size() ? kNames[i] : "type " + std::to_string(type);
}

}  // namespace cbir::onnx
