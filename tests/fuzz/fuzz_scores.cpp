// Files of scores. Scores that were read are read the same after they were written.
#include <tests/fuzz/target.hpp>

#include <cbir/eval/scores.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  return fuzz::expect_file_errors([&] {
    const std::string written = to_json_lines(parse_scores(text, "x"));
    if (to_json_lines(parse_scores(written, "x")) != written) std::abort();
  });
}
