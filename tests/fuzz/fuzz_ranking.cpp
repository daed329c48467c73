// Rankings, in both formats, and the manifest of doctored copies that they are judged by.
#include <tests/fuzz/target.hpp>

#include <cbir/eval/copies.hpp>
#include <cbir/eval/ranking_file.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  fuzz::expect_file_errors([&] {
    for (const RankedQuery& query : parse_ranking(text, "x"))
      if (query.results.empty() || query.results.size() != query.scores.size()) std::abort();
  });
  return fuzz::expect_file_errors([&] {
    if (parse_copy_manifest(text, "x").empty()) std::abort();
  });
}
