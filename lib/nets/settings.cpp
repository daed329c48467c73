#include "settings.hpp"

#include <ATen/Context.h>

namespace cbir::nets {

c10::Device choose_device(const std::string& wanted) {
  const bool cuda = at::globalContext().hasCUDA();
  if (wanted == "cuda" && !cuda)
    throw Error(ExitCode::resource,
                "there is no CUDA device: either the machine has none, or LibTorch was built without CUDA; use device "
                "cpu or auto");
  if (wanted == "cuda" || (wanted == "auto" && cuda)) return {c10::kCUDA, 0};
  if (wanted == "cpu" || wanted == "auto") return c10::kCPU;
  throw Error(ExitCode::usage, "device '" + wanted + "' is not known; cpu, cuda or auto");
}

Precision choose_precision(const std::string& wanted, c10::Device device) {
  const bool fast = device.is_cuda() || cpu_has_bf16();
  if (wanted == "bfloat16" && !fast)
    throw Error(ExitCode::resource,
                "there is no bfloat16 arithmetic here: the CPU lacks AVX-512 BF16 and AMX, or the networks were built "
                "without oneDNN; use precision float32 or auto");
  if (wanted == "bfloat16" || (wanted == "auto" && fast)) return Precision::bfloat16;
  if (wanted == "float32" || wanted == "auto") return Precision::float32;
  throw Error(ExitCode::usage, "precision '" + wanted + "' is not known; float32, bfloat16 or auto");
}

Settings parse_settings(const cbir_net_source& source) {
  Settings out{parse_preset(source.preset_json)};
  out.device = choose_device(source.device);
  out.precision = choose_precision(source.precision, out.device);
  return out;
}

}  // namespace cbir::nets
