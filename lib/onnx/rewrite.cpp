#include "rewrite.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <vector>

#include <cbir/base/boundary.hpp>
#include "fields.hpp"
#include "model_file.hpp"
#include "wire.hpp"

namespace cbir::onnx {
namespace {

constexpr std::size_t kMostBytes = (1ULL << 31) - (1 << 20);  // with what stands around the graph

struct Node {
  std::string_view op;
  std::vector<std::string_view> inputs, outputs;
  std::string_view tensor;  ///< of its attributes, if one is a tensor
};

Node read_node(std::string_view message) {
  Node out;
  for_each_field(message, [&](const WireField& field) {
    if (field.number == node::kOperator) out.op = field.bytes;
    if (field.number == node::kInput) out.inputs.push_back(field.bytes);
    if (field.number == node::kOutput) out.outputs.push_back(field.bytes);
    if (field.number != node::kAttribute) return;
    for_each_field(field.bytes, [&](const WireField& part) {
      if (part.number == attribute::kTensor) out.tensor = part.bytes;
    });
  });
  return out;
}

/// The value of a float32 tensor that has one.
std::optional<float> scalar_of(std::string_view tensor) {
  std::int64_t type = 0;
  std::string bytes;
  for_each_field(tensor, [&](const WireField& field) {
    if (field.number == tensor::kType) type = static_cast<std::int64_t>(field.scalar);
    if (field.number != tensor::kFloats && field.number != tensor::kRaw) return;
    if (field.length_delimited) bytes += field.bytes.substr(0, 2 * sizeof(float));
    else bytes += field.whole.substr(field.whole.size() - std::min(field.whole.size(), sizeof(float)));
  });
  if (type != kFloat32 || bytes.size() != sizeof(float)) return {};
  std::uint32_t bits = 0;
  for (std::size_t i = sizeof(float); i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  return std::bit_cast<float>(bits);
}

/// ValueInfoProto of a float32 tensor.
std::string value_of(const std::string& name, const std::vector<std::int64_t>& sides) {
  std::string shape;
  for (const std::int64_t side : sides)
    shape += wire_field(shape::kDimension, wire_field(shape::kSize, static_cast<std::uint64_t>(side)));
  const std::string type = wire_field(type::kElement, std::uint64_t{kFloat32}) + wire_field(type::kShape, shape);
  return wire_field(value::kName, name) + wire_field(value::kType, wire_field(type::kTensor, type));
}

class Rewriter {
 public:
  Rewriter(std::string_view file, const Changes& changes) : file_(file), changes_(changes) {
    for_each_graph_field([&](const WireField& field) {
      if (field.number == graph::kInitialiser) add_parameter(field.bytes);
    });
    for_each_graph_field([&](const WireField& field) {  // nodes stand in the order of computation
      if (field.number == graph::kNode) add_constant(read_node(field.bytes));
    });
  }

  std::string run() {
    std::string out, graph;
    out.reserve(file_.size());
    for_each_field(file_, [&](const WireField& field) {
      if (field.number != model::kGraph || !field.length_delimited) out += field.whole;
    });
    graph.reserve(file_.size());
    for_each_graph_field([&](const WireField& field) {
      if (field.number == graph::kNode) graph += rewritten_node(field);
      else if (field.number == graph::kInput) graph += rewritten_input(field);
      else graph += field.whole;
      if (graph.size() > kMostBytes)
        throw Error(ExitCode::incompatible, "the model is larger than 2 GiB, which Protocol Buffers cannot read");
    });
    if (!changes_.more_output.empty())
      graph += wire_field(graph::kOutput, value_of(changes_.more_output, {}));  // OpenCV wants a type
    return out + wire_field(model::kGraph, graph);
  }

 private:
  template <typename Use>
  void for_each_graph_field(Use use) {
    for_each_field(file_, [&](const WireField& field) {
      if (field.number == model::kGraph && field.length_delimited) for_each_field(field.bytes, use);
    });
  }

  void add_parameter(std::string_view tensor) {
    for_each_field(tensor, [&](const WireField& field) {
      if (field.number == tensor::kName) constants_[field.bytes] = tensor;
    });
  }

  void add_constant(const Node& node) {
    if (node.outputs.size() != 1) return;
    if (node.op == "Constant" && !node.tensor.empty()) constants_[node.outputs[0]] = node.tensor;
    if (is_copy(node)) constants_[node.outputs[0]] = constants_.at(node.inputs[0]);
  }

  bool is_copy(const Node& node) const {
    return node.op == "Identity" && node.inputs.size() == 1 && node.outputs.size() == 1 &&
           constants_.contains(node.inputs[0]);
  }

  std::string rewritten_input(const WireField& field) const {
    bool meant = false;
    for_each_field(field.bytes, [&](const WireField& part) {
      if (part.number == value::kName) meant = part.bytes == changes_.input;
    });
    if (!meant) return std::string(field.whole);
    return wire_field(graph::kInput, value_of(changes_.input, {1, 3, changes_.height, changes_.width}));
  }

  std::string rewritten_node(const WireField& field) const {
    const Node node = read_node(field.bytes);
    // Of a field that stands twice the last counts.
    if (is_copy(node))
      return wire_field(graph::kInitialiser,
                        std::string(constants_.at(node.inputs[0])) + wire_field(tensor::kName, node.outputs[0]));
    if (node.op == "Clip" && node.inputs.size() > 1)
      if (const std::string clip = with_limits(field.bytes, node); !clip.empty()) return clip;
    return std::string(field.whole);
  }

  /// Clip with constant limits as attributes; empty if they are not constant.
  std::string with_limits(std::string_view message, const Node& node) const {
    std::string out, attributes;
    constexpr std::array<std::string_view, 3> kNames = {"", "min", "max"};
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (node.inputs[i].empty()) continue;  // not given
      const auto constant = constants_.find(node.inputs[i]);
      const auto limit = constant == constants_.end() ? std::nullopt : scalar_of(constant->second);
      if (!limit || i >= kNames.size()) return {};
      attributes +=
          wire_field(node::kAttribute, wire_field(attribute::kName, kNames[i]) + wire_field(attribute::kFloat, *limit) +
                                           wire_field(attribute::kType, attribute::kTypeFloat));
    }
    bool first = true;
    for_each_field(message, [&](const WireField& field) {
      if (field.number != node::kInput || first) out += field.whole;
      if (field.number == node::kInput) first = false;
    });
    return wire_field(graph::kNode, out + attributes);
  }

  std::string_view file_;
  const Changes& changes_;
  std::map<std::string_view, std::string_view> constants_;  ///< tensors by the names that they have in the graph
};

}  // namespace

std::string for_opencv(std::string_view file, const Changes& changes) { return Rewriter(file, changes).run(); }

}  // namespace cbir::onnx
