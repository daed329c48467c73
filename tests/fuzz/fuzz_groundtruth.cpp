// Ground truths of the revisited benchmarks, in pickles and as JSON; TREC qrels, which read the same after they were
// written.
#include <tests/fuzz/target.hpp>

#include <cbir/eval/qrels.hpp>
#include <cbir/eval/revisited.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  fuzz::expect_file_errors([&] {
    for (const RevisitedQuery& query : parse_revisited_truth(fuzz::bytes(data, size), "x").queries)
      if (!query.box.empty() && query.box.size() != 4) std::abort();
  });
  return fuzz::expect_file_errors([&] {
    const std::string written = to_text(parse_qrels(as_text(fuzz::bytes(data, size)), "x"));
    if (to_text(parse_qrels(written, "x")) != written) std::abort();
  });
}
