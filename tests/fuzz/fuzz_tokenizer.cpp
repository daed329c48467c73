// Texts, with a vocabulary of three merges: "a b", "ab c</w>", "t h".
#include <tests/fuzz/target.hpp>

#include <cbir/base/text.hpp>
#include <cbir/text/clip_tokenizer.hpp>

namespace {

const cbir::ClipTokenizer& tokenizer() {
  static constexpr std::uint8_t kMerges[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb,
                                             0x48, 0x4d, 0x4c, 0x49, 0x2d, 0xe2, 0x4a, 0x54, 0x48, 0xe2, 0x4a,
                                             0x4c, 0x52, 0x48, 0xb6, 0xd1, 0x2f, 0xb7, 0xe3, 0x2a, 0x51, 0xc8,
                                             0xe0, 0x02, 0x00, 0xec, 0xf5, 0x90, 0x5f, 0x18, 0x00, 0x00, 0x00};
  static const cbir::ClipTokenizer made(fuzz::bytes(kMerges, sizeof kMerges), "merges", 3);
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cbir;
  const std::string_view text = as_text(fuzz::bytes(data, size));
  return fuzz::expect_file_errors([&] {
    const std::vector<std::int32_t> tokens = tokenizer().encode(text);
    if (!is_utf8(text)) std::abort();
    for (const std::int32_t token : tokens)
      if (token < 0 || static_cast<std::size_t>(token) >= tokenizer().size()) std::abort();
    const ClipText row = tokenizer().tokenize(text, 8);
    if (row.tokens.size() > 8 || row.needed != tokens.size() + 2) std::abort();
  });
}
