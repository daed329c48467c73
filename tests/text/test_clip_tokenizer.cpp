#include <cbir/base/error.hpp>
#include <cbir/text/clip_tokenizer.hpp>

#include <libdeflate.h>

#include <memory>
#include <string>
#include <vector>

#include <tests/catch.hpp>

using namespace cbir;

namespace {

std::string gzip(const std::string& text) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> packer(
      libdeflate_alloc_compressor(9), &libdeflate_free_compressor);
  std::string out(libdeflate_gzip_compress_bound(packer.get(), text.size()), '\0');
  out.resize(libdeflate_gzip_compress(packer.get(), text.data(), text.size(), out.data(), out.size()));
  return out;
}

/// Six merges: "in", "th", "the</w>", "ing</w>" and what they are made of.
const std::string kMerges = "#version: 0.2\ni n\nt h\nth e</w>\nn g</w>\nin g</w>\na a\nleft out\n";
constexpr std::size_t kCount = 6;

constexpr std::int32_t kIn = 512, kTh = 513, kThe = 514, kIng = 516, kAa = 517, kStart = 518, kEnd = 519;
constexpr std::int32_t byte(char c) { return c - '!'; }        // within a word
constexpr std::int32_t last(char c) { return byte(c) + 256; }  // at its end

ClipTokenizer tiny(const std::string& merges = kMerges, std::size_t count = kCount) {
  const std::string data = gzip(merges);
  return ClipTokenizer(as_bytes(data), "tiny.gz", count);
}

using Tokens = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("pairs are joined in the order in which the merges were learned") {
  const ClipTokenizer tokenizer = tiny();
  CHECK(tokenizer.size() == 520);
  CHECK(tokenizer.start_token() == kStart);
  CHECK(tokenizer.end_token() == kEnd);
  CHECK(tokenizer.encode("the") == Tokens{kThe});
  CHECK(tokenizer.encode("thin") == Tokens{kTh, byte('i'), last('n')});  // "in" is not at a word's end
  CHECK(tokenizer.encode("thing") == Tokens{kTh, kIng});                 // "in" was learned before "ng</w>"
  CHECK(tokenizer.encode("ining") == Tokens{kIn, kIng});
  CHECK(tokenizer.encode("aaaaa") == Tokens{kAa, kAa, last('a')});  // leftmost first
  CHECK(tokenizer.encode("x") == Tokens{last('x')});
}

TEST_CASE("a merge of merges") {
  const ClipTokenizer tokenizer = tiny("header\ni n\nin g</w>\n", 2);
  CHECK(tokenizer.encode("king") == Tokens{byte('k'), 513});
  const ClipTokenizer leftwards = tiny("header\nn g</w>\ni ng</w>\n", 2);
  CHECK(leftwards.encode("king") == Tokens{byte('k'), 513});
}

TEST_CASE("words, numbers, punctuation and contractions are split as by the original") {
  const ClipTokenizer tokenizer = tiny();
  CHECK(tokenizer.encode("a1b 23") == Tokens{last('a'), last('1'), last('b'), last('2'), last('3')});
  CHECK(tokenizer.encode("he's") == Tokens{byte('h'), last('e'), byte('\''), last('s')});
  CHECK(tokenizer.encode("!'s") == Tokens{byte('!'), last('\''), last('s')});  // a run that began before it
  CHECK(tokenizer.encode("<|endoftext|>") == Tokens{kEnd});
  CHECK(tokenizer.encode("x<|StartOfText|>") == Tokens{last('x'), kStart});
  CHECK(tokenizer.encode("x'\u017Fy") == Tokens{last('x'), byte('\''), 129, 123 + 256, last('y')});  // long s
  CHECK(tokenizer.encode("a\u0345b") == tokenizer.encode("a b"));
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.encode(" \n\u3000").empty());
}

TEST_CASE("text is cleaned as by the original") {
  const ClipTokenizer tokenizer = tiny();
  const auto same = [&](const std::string& text, const std::string& cleaned) {
    INFO(text << " as " << cleaned);
    CHECK(tokenizer.encode(text) == tokenizer.encode(cleaned));
  };
  same("  The\t THE\u00a0", "the the");
  same("e\u0301", "\u00e9");
  same("\uFB01\u0132", "fiij");
  same("\uFF21\uFF22\uFF76", "ab\u30ab");
  same("\u2018a\u2019 \u201Cb\u201D \u0149", "'a' \"b\" 'n");
  same("a\x1b[31;1mb\x01\u200b", "ab\u200b");
  same("\u0391\u03A3 \u0391\u03A3\u0391", "\u03b1\u03c2 \u03b1\u03c3\u03b1");  // final sigma
  same("\u0130\u1E9E", "i\u0307\u00df");
  same("\u0085\u0093a", "\u2026\"a");
}

TEST_CASE("character references are resolved") {
  const ClipTokenizer tokenizer = tiny();
  const auto same = [&](const std::string& text, const std::string& cleaned) {
    INFO(text << " as " << cleaned);
    CHECK(tokenizer.encode(text) == tokenizer.encode(cleaned));
  };
  same("&amp;amp;amp;amp; &lt;a&gt;", "& <a>");
  same("&copy2024 &notit; &hellip &hellip;",
       "\u00a92024 \u00acit; &hellip \u2026");  // without semicolon: the longest name
  same("&#65;&#x41&#128; &#xD800; &#99999999999;", "aa\u20ac \ufffd \ufffd");
  same("a&#1;b&#xFFFE;", "ab");
  same("P&EACUTE;REZ STRA&SZLIG;E", "p\u00e9rez strasse");
  same("< P&EACUTE;REZ", "< p&amp;amp;eacute;rez");     // capitals are ftfy's, which takes text with '<' as it is
  same("a < b\nP&EACUTE;", "a < b p&amp;amp;eacute;");  // and what follows it
  same("&#8220;", "\"");                                // by ftfy, which straightens quotes and reads short references
  CHECK(tokenizer.encode("&#000000000000000000000008220;") != tokenizer.encode("\""));
  same("& &# &#x; &nope; &", "& &# &#x; &nope; &");
}

TEST_CASE("a row is start, text, end, zeros; what is too long is cut and says so") {
  const ClipTokenizer tokenizer = tiny();
  const ClipText whole = tokenizer.tokenize("the x", 5);
  CHECK(whole.tokens == Tokens{kStart, kThe, last('x'), kEnd, 0});
  CHECK(whole.needed == 4);
  CHECK_FALSE(whole.truncated());
  CHECK_FALSE(tokenizer.tokenize("the x", 4).truncated());

  const ClipText cut = tokenizer.tokenize("the x", 3);
  CHECK(cut.tokens == Tokens{kStart, kThe, kEnd});
  CHECK(cut.needed == 4);
  CHECK(cut.truncated());
  CHECK(tokenizer.tokenize("").tokens.size() == ClipTokenizer::kContext);
}

TEST_CASE("what is no text is refused") {
  const ClipTokenizer tokenizer = tiny();
  CHECK_THROWS_AS(tokenizer.encode("caf\xe9"), DamagedFile);
  CHECK_THROWS_WITH(tokenizer.encode("caf\xe9"), ContainsSubstring("not UTF-8: $'caf\\xe9'"));
  CHECK_THROWS_AS(tokenizer.encode(std::string(ClipTokenizer::kMaxBytes + 1, 'a')), ResourceLimit);
  CHECK(tokenizer.encode(std::string(ClipTokenizer::kMaxBytes, 'a')).size() == ClipTokenizer::kMaxBytes / 2 + 1);
  std::string nested = "&";
  for (int i = 0; i < 100; ++i) nested += "amp;";
  CHECK_THROWS_AS(tokenizer.encode(nested), ResourceLimit);
}

TEST_CASE("what is no vocabulary is refused") {
  const std::string data = gzip(kMerges);
  const auto open = [](const std::string& bytes, std::size_t merges) {
    ClipTokenizer(as_bytes(bytes), "tiny.gz", merges);
  };
  CHECK_THROWS_WITH(open("no gzip file", kCount), StartsWith("tiny.gz: "));
  CHECK_THROWS_AS(open("", kCount), DamagedFile);
  CHECK_THROWS_WITH(open(data + "x", kCount), ContainsSubstring("1 byte behind its end"));
  for (std::size_t size = 0; size < data.size(); ++size)
    CHECK_THROWS_AS(open(data.substr(0, size), kCount), DamagedFile);
  std::string flipped = data;
  flipped[flipped.size() - 6] ^= 1;  // in the checksum
  CHECK_THROWS_AS(open(flipped, kCount), DamagedFile);
  CHECK_THROWS_WITH(open(data, ClipTokenizer::kMerges), ContainsSubstring("48894"));
  CHECK_THROWS_WITH(open(gzip("header\na b\nc\n"), 2), ContainsSubstring("line 3 is c, expected two symbols"));
  CHECK_THROWS_WITH(open(gzip("header\na bc\n"), 1), ContainsSubstring("line 2"));
  CHECK_THROWS_WITH(open(gzip("header\na b\na b\n"), 2), ContainsSubstring("second time"));
  CHECK_THROWS_WITH(open(gzip(std::string(20 << 20, '\n')), 1), ContainsSubstring("unpacks to more than"));
}
