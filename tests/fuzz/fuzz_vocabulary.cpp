// The vocabulary of a text tower: gzipped merges. With the checksum of gzip, which mutations seldom get right, most of
// what is tried ends there; the seeds are of many kinds therefore.
#include <tests/fuzz/target.hpp>

#include <cbir/text/clip_tokenizer.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  return fuzz::expect_file_errors([&] {
    const ClipTokenizer tokenizer(fuzz::bytes(data, size), "x", 2);
    for (const std::int32_t token : tokenizer.encode("abc thin"))
      if (token < 0 || static_cast<std::size_t>(token) >= tokenizer.size()) std::abort();
  });
}
