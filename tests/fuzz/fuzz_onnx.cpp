#include <tests/fuzz/target.hpp>

#include <cbir/base/boundary.hpp>
#include "../../lib/onnx/class_names.hpp"
#include "../../lib/onnx/model_file.hpp"
#include "../../lib/onnx/rewrite.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  try {
    const cbir::onnx::ModelFile read = cbir::onnx::read_model_file(file);
    for (const auto* values : {&read.inputs, &read.outputs})
      for (const auto& value : *values) cbir::onnx::to_text(value.shape);
    for (const auto& [key, value] : read.metadata) cbir::onnx::class_names(value);
    if (cbir::onnx::read_model_file(cbir::onnx::for_opencv(file, {"x", 32, 32, "more"})).outputs.size() !=
        read.outputs.size() + 1)
      std::abort();
  } catch (const cbir::Error& error) {
    if (error.code() != cbir::ExitCode::damaged && error.code() != cbir::ExitCode::incompatible) throw;
  }
  return 0;
}
