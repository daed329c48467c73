#include <tests/fuzz/target.hpp>

#include <cbir/encoder/detector_preset.hpp>
#include <cbir/encoder/local_preset.hpp>
#include <cbir/encoder/preset.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] { parse_detector_preset(text, "x.json"); });
  fuzz::expect_file_errors([&] { parse_features_preset(text, "x.json"); });
  fuzz::expect_file_errors([&] { parse_matcher_preset(text, "x.json"); });
  return fuzz::expect_file_errors([&] { parse_preset(text, "x.json"); });
}
