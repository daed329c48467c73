#include <tests/fuzz/target.hpp>

#include <cbir/base/text.hpp>
#include <cbir/weights/attributes.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::expect_file_errors([&] {
    const std::string read = cbir::read_attributes(fuzz::bytes(data, size), "x");
    if (!read.starts_with('{') || !cbir::is_utf8(read)) std::abort();
  });
}
