#include <safetensors.hpp>

#include <tests/fuzz/tensors.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::expect_file_errors(
      [&] { fuzz::check(cbir::weights::read_safetensors(fuzz::bytes(data, size), "x", nullptr)); });
}
