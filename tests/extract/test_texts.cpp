#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/extract/extract.hpp>
#include <cbir/extract/texts.hpp>
#include <tests/catch.hpp>
#include <tests/extract/fake.hpp>

using namespace cbir;

namespace {

/// Two numbers: how many letters a text has, and how many of them are 'a'; of length 1. Reads 20 letters, and cannot
/// bear texts of more than 1000.
class LetterCounter : public Encoder {
 public:
  LetterCounter() : Encoder(make_preset(), std::string(64, 'e')) {}
  std::size_t dim() const override { return 2; }
  void encode(std::span<const Image>, MatrixView<float>) const override { throw std::logic_error("no pictures"); }
  std::vector<TextLength> encode_text(std::span<const std::string> texts, MatrixView<float> out) const override {
    std::vector<TextLength> lengths;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i].size() > 1000) throw ResourceLimit("a text of more than 1000 letters");
      const auto letters = static_cast<double>(texts[i].size());
      const auto as = static_cast<double>(std::ranges::count(texts[i], 'a'));
      out.row(i)[0] = static_cast<float>(letters / std::hypot(letters, as));
      out.row(i)[1] = static_cast<float>(as / std::hypot(letters, as));
      lengths.push_back({texts[i].size(), 20});
    }
    return lengths;
  }

  static Preset make_preset() {
    Preset preset;
    preset.name = "letters";
    preset.dimension = 2;
    preset.json = R"({"name":"letters"})";
    return preset;
  }
};

EncoderChoice letters() {
  return {.preset = LetterCounter::make_preset(), .fingerprint = std::string(64, 'e'), .open = [] {
            return std::make_unique<LetterCounter>();
          }};
}

Listing texts_of(const std::string& content, char separator = '\n') {
  const TemporaryFolder folder;
  write_file(folder / "texts", content, false);
  return read_texts(folder / "texts", separator);
}

/// 100 texts of which some have a problem or are too large, into a set.
struct Run {
  Run() {
    for (int i = 0; i < 100; ++i) {
      std::string text = "text " + std::string(static_cast<std::size_t>(i % 30), 'a');
      if (i == 40) text = "caf\xe9";
      if (i == 50) text = std::string(2000, 'a');
      if (i == 99) text = "";
      content += text + "\n";
    }
    texts = texts_of(content);
  }
  ExtractOptions options(const std::string& name = "set") const {
    ExtractOptions out;
    out.output = folder / name;
    out.label = "none";
    return out;
  }
  ExtractReport go(const std::string& name = "set", const ExtractProgress& progress = {}) const {
    return extract_texts(texts, {}, letters(), options(name), progress);
  }
  std::string bytes(const std::string& name = "set") const {
    const SetPaths paths = set_paths(folder / name);
    return read_text(paths.npy) + read_text(paths.rows) + read_text(paths.manifest) + read_text(paths.failed);
  }
  TemporaryFolder folder;
  std::string content;
  Listing texts;
};

}  // namespace

TEST_CASE("a template takes one text") {
  CHECK(PromptTemplate("a photo of a {}").apply("dog") == "a photo of a dog");
  CHECK(PromptTemplate("{} {{x}}").apply("{}") == "{} {x}");
  CHECK(PromptTemplate("{{{}}}").apply("dog") == "{dog}");
  CHECK_THROWS_WITH(PromptTemplate("a photo"), ContainsSubstring("no {}"));
  CHECK_THROWS_WITH(PromptTemplate("{} and {}"), ContainsSubstring("a second {}"));
  for (const char* bad : {"{", "}", "{0}", "{}}", "{{}", "{} {name}"}) CHECK_THROWS_AS(PromptTemplate(bad), UsageError);
}

TEST_CASE("texts are lines, less what an editor leaves there") {
  const Listing lines = texts_of(
      "\xef\xbb\xbf"
      "a red bus\r\nb:\tc\nlast");
  REQUIRE(lines.files.size() == 3);
  CHECK(lines.files[0].path == "a red bus");
  CHECK(lines.files[1].path == "b:\tc");
  CHECK(lines.files[2].path == "last");
  const Listing records = texts_of(std::string("two\nlines\0x\r\0", 13), '\0');
  REQUIRE(records.files.size() == 2);
  CHECK(records.files[0].path == "two\nlines");
  CHECK(records.files[1].path == "x\r");
  CHECK_THROWS_AS(texts_of(""), MissingInput);
}

TEST_CASE("a text that cannot be encoded is named by its line") {
  const Listing lines = texts_of("good\n\n \t\ncaf\xe9\n");
  REQUIRE(lines.files.size() == 4);
  CHECK(lines.files[0].problem.empty());
  CHECK(lines.files[1].problem == "line 2 is empty");
  CHECK(lines.files[2].problem == "line 3 is empty");
  CHECK_THAT(lines.files[3].problem, StartsWith("line 4 is not UTF-8: $'caf\\xe9'"));
}

TEST_CASE("with several templates a text's vector is the average, of length 1") {
  const LetterCounter encoder;
  const std::vector<std::string> texts = {"a", "bb"};
  std::vector<float> plain(4), one(4), two(4), both(4);
  embed_texts(encoder, texts, {}, {plain.data(), 2, 2});
  CHECK(plain[0] == Approx(std::sqrt(.5)));
  CHECK(plain[3] == 0);
  const PromptTemplate a("aaa{}"), b("{}bbbb");
  embed_texts(encoder, texts, {a}, {one.data(), 2, 2});
  embed_texts(encoder, texts, {b}, {two.data(), 2, 2});
  const auto lengths = embed_texts(encoder, texts, {a, b}, {both.data(), 2, 2});
  for (std::size_t i = 0; i < 2; ++i) {
    const double x = one[2 * i] + two[2 * i], y = one[2 * i + 1] + two[2 * i + 1];
    CHECK(both[2 * i] == Approx(x / std::hypot(x, y)));
    CHECK(both[2 * i + 1] == Approx(y / std::hypot(x, y)));
  }
  CHECK(lengths[0].tokens == 5);  // "abbbb", the longer one
  CHECK(lengths[1].tokens == 6);
}

TEST_CASE("texts become a set whose rows are named by them") {
  const Run run;
  const ExtractReport report = run.go();
  CHECK(report.rows == 97);
  CHECK(report.failed == 3);
  const EmbeddingSet set = EmbeddingSet::open(run.options().output);
  CHECK(set.manifest()->fingerprint == std::string(64, 'e'));
  CHECK(set.row(3) == RowInfo{.path = "text aaa", .text = true, .seq = 3});
  CHECK(set.row(96) == RowInfo{.path = "text aaaaaaaa", .text = true, .seq = 98});
  std::vector<float> row(2), alone(2);
  const std::string text = "text aaa";
  set.matrix().read(3, 1, row.data());
  LetterCounter().encode_text({&text, 1}, {alone.data(), 1, 2});
  CHECK(row == alone);
  const std::string failed = read_text(set_paths(run.options().output).failed);
  CHECK_THAT(failed, ContainsSubstring("line 41 is not UTF-8") &&
                         ContainsSubstring("\"seq\":50,\"stage\":\"encode\"") &&
                         ContainsSubstring("line 100 is empty"));
  CHECK(run.go().nothing_to_do);
}

TEST_CASE("texts give the same bytes with any number of threads, and after a stop") {
  struct Stopped : std::exception {};
  const Run run;
  {
    const ThreadLimit one(1);
    run.go("one");
  }
  {
    const ThreadLimit limit(1);
    CHECK_THROWS_AS(run.go("set",
                           [](std::uint64_t done, std::uint64_t) {
                             if (done >= 64) throw Stopped();
                           }),
                    Stopped);
  }
  CHECK_FALSE(exists(set_paths(run.options().output).manifest));
  const ThreadLimit three(3);
  CHECK(run.go().resumed == 100);  // those that were encoded with the first 64 were kept
  CHECK(run.bytes() == run.bytes("one"));
}

TEST_CASE("a set of texts is not taken for another") {
  const Run run;
  run.go();
  const auto again = [&](const Listing& texts, const TextPrompts& prompts) {
    return extract_texts(texts, prompts, letters(), run.options());
  };
  CHECK_THROWS_WITH(again(texts_of("another"), {}), ContainsSubstring("the texts are others"));
  CHECK_THROWS_WITH(again(run.texts, {PromptTemplate("a {}")}), ContainsSubstring("the templates are others"));
  const Pictures pictures(3);
  ExtractOptions options = pictures.options();
  extract(pictures.list(), fake_choice(), options);
  options.label = "none";
  CHECK_THROWS_WITH(extract_texts(run.texts, {}, letters(), options), ContainsSubstring("made of pictures"));
  options.output = run.options().output;
  CHECK_THROWS_WITH(extract(pictures.list(), fake_choice(), options), ContainsSubstring("made of texts"));
}
