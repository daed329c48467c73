#include <tests/fuzz/target.hpp>

#include <cbir/encoder/preset.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::expect_file_errors([&] { cbir::parse_preset(cbir::as_text(fuzz::bytes(data, size)), "x.json"); });
}
