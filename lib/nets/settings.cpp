#include "settings.hpp"

#include <ATen/Context.h>

#include <nlohmann/json.hpp>

namespace cbir::nets {
namespace {

/// "auto" is the fastest there is.
c10::Device choose_device(const std::string& wanted) {
  const bool cuda = at::globalContext().hasCUDA();
  if (wanted == "cuda" && !cuda)
    throw NetError(
        ExitCode::resource,
        "there is no CUDA device: either the machine has none, or LibTorch was built without CUDA; use device "
        "cpu or auto");
  if (wanted == "cuda" || (wanted == "auto" && cuda)) return {c10::kCUDA, 0};
  if (wanted == "cpu" || wanted == "auto") return c10::kCPU;
  throw NetError(ExitCode::usage, "device '" + wanted + "' is not known; cpu, cuda or auto");
}

/// "auto" is the fastest that keeps the order of results: bfloat16 where the device multiplies it in hardware.
Precision choose_precision(const std::string& wanted, c10::Device device) {
  const bool fast = device.is_cuda() || cpu_has_bf16();
  if (wanted == "bfloat16" && !fast)
    throw NetError(
        ExitCode::resource,
        "there is no bfloat16 arithmetic here: the CPU lacks AVX-512 BF16 and AMX, or the networks were built "
        "without oneDNN; use precision float32 or auto");
  if (wanted == "bfloat16" || (wanted == "auto" && fast)) return Precision::bfloat16;
  if (wanted == "float32" || wanted == "auto") return Precision::float32;
  throw NetError(ExitCode::usage, "precision '" + wanted + "' is not known; float32, bfloat16 or auto");
}

}  // namespace

Settings parse_settings(const cbir_net_source& source) {
  Settings out;
  try {
    const auto preset = nlohmann::json::parse(source.preset_json);
    const auto& input = preset.at("preprocessing");
    out.network = preset.at("network").get<std::string>();
    out.layer = preset.at("layer").get<std::string>();
    out.pool = preset.at("pool").get<std::string>();
    out.gem_p = preset.value("gem_p", out.gem_p);
    out.dimension = preset.at("dimension").get<std::int64_t>();
    if (input.value("crop_mode", "center") != "none") out.size = input.at("crop").get<std::int64_t>();
    out.mean = input.at("mean").get<std::array<float, 3>>();
    out.std_dev = input.at("std").get<std::array<float, 3>>();
    out.activation = preset.value("activation", out.activation);
    out.scales = preset.value("scales", out.scales);
    out.flip = preset.value("flip", out.flip);
    out.unit = preset.value("normalization", "l2") == "l2";
    if (preset.contains("text")) out.context = preset.at("text").at("context").get<std::int64_t>();
  } catch (const nlohmann::json::exception& error) {
    throw NetError(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
  if (out.size != 0 && (out.size < 32 || out.size > 2048))
    throw NetError(ExitCode::damaged,
                   "preprocessing.crop is " + std::to_string(out.size) + "; 32 to 2048 was expected");
  for (const float s : out.std_dev)
    if (!(s > 0)) throw NetError(ExitCode::damaged, "preprocessing.std holds a number that is not positive");
  out.device = choose_device(source.device);
  out.precision = choose_precision(source.precision, out.device);
  return out;
}

}  // namespace cbir::nets
