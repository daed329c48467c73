// Lines and manifests of embedding sets. A line that was read is read the same after it was written.
#include <tests/fuzz/target.hpp>

#include <cbir/store/rows.hpp>
#include <cbir/store/set.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] {
    const std::string line = to_json_line(parse_row(text, "x:1"));
    if (to_json_line(parse_row(line, "x:1")) != line) std::abort();
  });
  fuzz::expect_file_errors([&] { parse_failed_item(text, "x:1"); });
  return fuzz::expect_file_errors([&] { to_json(parse_manifest(text, "x.json")); });
}
