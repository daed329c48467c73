#pragma once
/// Writes small ONNX files: messages of Protocol Buffers, field by field, with the numbers of onnx.proto3.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace onnx_file {

inline std::string varint(std::uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7F) | 0x80);
  return out + static_cast<char>(number);
}

/// A field that holds a number.
inline std::string number(unsigned field, std::int64_t value) {
  return varint(field << 3) + varint(static_cast<std::uint64_t>(value));
}

/// A field that holds text, bytes or a message.
inline std::string bytes(unsigned field, std::string_view content) {
  return varint(field << 3 | 2) + varint(content.size()) + std::string(content);
}

/// ValueInfoProto of a tensor: sides below 0 are dynamic, and named.
inline std::string value(const std::string& name, const std::vector<std::int64_t>& shape, int type = 1) {
  std::string sides;
  for (const std::int64_t side : shape)
    sides += bytes(1, side < 0 ? bytes(2, "side" + std::to_string(-side)) : number(1, side));
  return bytes(1, name) + bytes(2, bytes(1, number(1, type) + bytes(2, sides)));
}

/// TensorProto of float32.
inline std::string tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                          const std::vector<float>& values) {
  std::string out, raw(values.size() * sizeof(float), '\0');
  std::memcpy(raw.data(), values.data(), raw.size());
  for (const std::int64_t side : shape) out += number(1, side);
  return out + number(2, 1) + bytes(8, name) + bytes(9, raw);
}

/// AttributeProto of a list of integers.
inline std::string integers(const std::string& name, const std::vector<std::int64_t>& values) {
  std::string out = bytes(1, name) + number(20, 7);
  for (const std::int64_t v : values) out += number(8, v);
  return out;
}

/// AttributeProto of one float.
inline std::string real(const std::string& name, float value) {
  std::string raw(sizeof value, '\0');
  std::memcpy(raw.data(), &value, sizeof value);
  return bytes(1, name) + varint(2 << 3 | 5) + raw + number(20, 1);
}

/// AttributeProto "value", as Constant has it.
inline std::string tensor_attribute(const std::string& value) {
  return bytes(1, "value") + bytes(5, value) + number(20, 4);
}

inline std::string node(const std::string& type, const std::vector<std::string>& inputs, const std::string& output,
                        const std::vector<std::string>& attributes = {}) {
  std::string out;
  for (const std::string& input : inputs) out += bytes(1, input);
  out += bytes(2, output) + bytes(3, "node of " + output) + bytes(4, type);
  for (const std::string& attribute : attributes) out += bytes(5, attribute);
  return out;
}

/// GraphProto, list by list; fields of ModelProto are in to_file().
struct Graph {
  std::vector<std::string> nodes, initialisers, inputs, outputs;
  static std::string operator_set() { return bytes(8, bytes(1, "") + number(2, 11)); }

  std::string to_file() const {
    std::string graph = bytes(2, "graph");
    for (const std::string& n : nodes) graph += bytes(1, n);
    for (const std::string& t : initialisers) graph += bytes(5, t);
    for (const std::string& v : inputs) graph += bytes(11, v);
    for (const std::string& v : outputs) graph += bytes(12, v);
    return number(1, 7) + bytes(2, "tests") + bytes(7, graph) + operator_set();
  }
};

}  // namespace onnx_file
