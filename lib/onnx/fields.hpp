#pragma once
/// The fields of ONNX' messages that are looked at, by the numbers of
/// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.

#include <cstdint>

namespace cbir::onnx {

namespace model {
constexpr std::uint32_t kGraph = 7, kMetadata = 14;
}
namespace metadata {
constexpr std::uint32_t kKey = 1, kValue = 2;
}
namespace graph {
constexpr std::uint32_t kNode = 1, kInitialiser = 5, kInput = 11, kOutput = 12, kSparseInitialiser = 15;
}
namespace node {
constexpr std::uint32_t kInput = 1, kOutput = 2, kOperator = 4, kAttribute = 5;
}
namespace attribute {
constexpr std::uint32_t kName = 1, kFloat = 2, kTensor = 5, kType = 20;
constexpr std::uint64_t kTypeFloat = 1;
}  // namespace attribute
namespace tensor {
constexpr std::uint32_t kType = 2, kFloats = 4, kName = 8, kRaw = 9, kDataLocation = 14;
constexpr std::uint64_t kExternal = 1;
}  // namespace tensor
namespace sparse_tensor {
constexpr std::uint32_t kValues = 1;
}
namespace value {
constexpr std::uint32_t kName = 1, kType = 2;
}
namespace type {
constexpr std::uint32_t kTensor = 1, kElement = 1, kShape = 2;
}
namespace shape {
constexpr std::uint32_t kDimension = 1, kSize = 1, kParameter = 2;
}

}  // namespace cbir::onnx
