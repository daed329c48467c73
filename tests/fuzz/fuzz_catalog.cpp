// catalog.json, whose checksum is not looked at in this build. What was read is read the same after it was written.
#include <tests/fuzz/target.hpp>

#include <cbir/catalog/catalog.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  return fuzz::expect_file_errors([&] {
    const std::string written = to_json(parse_catalog_settings(as_text(fuzz::bytes(data, size)), "x.json"));
    if (to_json(parse_catalog_settings(written, "x.json")) != written) std::abort();
  });
}
