/// Texts through the encoder: the plug-in is that of tests/fake_nets.

#include <libdeflate.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/text/clip_tokenizer.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// A vocabulary of CLIP's size whose merges join nothing that is ASCII.
std::string vocabulary() {
  std::vector<std::string> shown;  // the characters of Latin-1 that stand for their own bytes
  for (unsigned c = 0xa1; c < 0x100; ++c)
    if (c != 0xad) shown.push_back({static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))});
  std::string lines = "header\n";
  std::size_t count = 0;
  // Pairs, and triples of which the first two are a pair.
  for (const std::string& a : shown)
    for (const std::string& b : shown) {
      for (const char* end : {"", "</w>"})
        if (count < ClipTokenizer::kMerges) lines += a + " " + b + end + "\n", ++count;
    }
  for (const std::string& a : shown)
    for (const std::string& b : shown)
      for (const std::string& c : shown)
        if (count < ClipTokenizer::kMerges) lines += a + b + " " + c + "\n", ++count;
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> packer(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  std::string out(libdeflate_gzip_compress_bound(packer.get(), lines.size()), '\0');
  out.resize(libdeflate_gzip_compress(packer.get(), lines.data(), lines.size(), out.data(), out.size()));
  return out;
}

/// A safetensors file of empty tensors; `names` are "name":[length,0].
std::string checkpoint(const std::vector<std::pair<std::string, std::size_t>>& tensors) {
  std::string header = "{";
  for (const auto& [name, length] : tensors)
    header += (header.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(length) +
              R"(,0],"data_offsets":[0,0]})";
  header += "}";
  std::string size(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) size[i] = static_cast<char>(header.size() >> 8 * i & 0xff);
  return size + header;
}

std::string preset_text(const std::string& text) {
  return R"({"name": "colours", "network": "fake", "layer": "mean", "pool": "none", "dimension": 4, "preprocessing": {
    "resize": 8, "filter": "bicubic", "resize_rounding": "round", "crop": 8, "crop_rounding": "floor",
    "mean": [0, 0, 0], "std": [1, 1, 1]}, "normalization": "l2", "metric": "cosine",
    "weights": {"file": "colours.safetensors", "licence": "none"})" +
         text + "}";
}

const std::string kReadsText =
    R"(, "text": {"context": 16, "tokenizer": "clip", "vocabulary": {"file": "words.gz", "licence": "none"}})";

/// A models folder with weights and vocabulary.
struct Models {
  explicit Models(const std::vector<std::pair<std::string, std::size_t>>& tensors = {{"token_embedding", 49408},
                                                                                     {"context", 16}},
                  const std::string& text = kReadsText)
      : preset(parse_preset(preset_text(text), "colours.json")) {
    static const std::string words = vocabulary();
    setenv("CBIR_MODELS", folder.path().c_str(), 1);
    write_file(folder / "colours.safetensors", checkpoint(tensors), false);
    write_file(folder / "words.gz", words, false);
  }
  ~Models() { unsetenv("CBIR_MODELS"); }
  Models(const Models&) = delete;
  Models& operator=(const Models&) = delete;

  TemporaryFolder folder;
  Preset preset;
};

struct Encoded {
  std::vector<float> vectors;
  std::vector<TextLength> lengths;
};

Encoded encode(const Encoder& encoder, const std::vector<std::string>& texts) {
  Encoded out{std::vector<float>(texts.size() * encoder.dim()), {}};
  out.lengths = encoder.encode_text(texts, {out.vectors.data(), texts.size(), encoder.dim()});
  return out;
}

}  // namespace

TEST_CASE("texts become unit vectors in the space of the pictures") {
  const Models models;
  const auto encoder = open_encoder(models.preset);
  const Encoded made = encode(*encoder, {"Red", "a green green bus"});
  const double red = std::sqrt(1.01), green = std::sqrt(4.01);
  CHECK(made.vectors[0] == Approx(1 / red));
  CHECK(made.vectors[1] == 0);
  CHECK(made.vectors[3] == Approx(.1 / red));
  CHECK(made.vectors[5] == Approx(2 / green));
  REQUIRE(made.lengths.size() == 2);
  CHECK(made.lengths[0].tokens == 5);  // r, e, d, start and end
  CHECK_FALSE(made.lengths[1].truncated());

  std::vector<float> picture(4);
  Image image(8, 8);
  for (std::size_t i = 0; i < image.data.size(); i += 3) image.data[i] = 255;
  encoder->encode({&image, 1}, {picture.data(), 1, 4});
  CHECK(picture == std::vector<float>(made.vectors.begin(), made.vectors.begin() + 4));
}

TEST_CASE("a text that is too long is cut, and said to be") {
  const Models models;
  const auto encoder = open_encoder(models.preset);
  const Encoded made = encode(*encoder, {"red and much else behind it", "red and much"});
  CHECK(made.lengths[0].truncated());
  CHECK(made.lengths[0].tokens == 24);
  CHECK(made.lengths[0].read == 16);
  CHECK_FALSE(made.lengths[1].truncated());
}

TEST_CASE("a text's vector does not depend on the others of a call") {
  const Models models({{"token_embedding", 49408}, {"context", 16}, {"dependent", 1}});
  const auto encoder = open_encoder(models.preset);
  const Encoded alone = encode(*encoder, {"red"}), together = encode(*encoder, {"blue", "red", "green"});
  CHECK(std::equal(alone.vectors.begin(), alone.vectors.end(), together.vectors.begin() + 4));
  CHECK(encode(*encoder, {}).lengths.empty());
}

TEST_CASE("texts that cannot be encoded are named") {
  const Models models;
  const auto encoder = open_encoder(models.preset);
  CHECK_THROWS_AS(encode(*encoder, {"red", "caf\xe9"}), Incompatible);
  CHECK_THROWS_WITH(encode(*encoder, {"red", "caf\xe9"}), ContainsSubstring("not UTF-8: $'caf\\xe9'"));
  CHECK_THROWS_AS(encode(*encoder, {std::string(ClipTokenizer::kMaxBytes + 1, 'a')}), ResourceLimit);
  CHECK_THROWS_AS(encode(*encoder, {"red", "q"}), DamagedFile);
  CHECK_THROWS_WITH(encode(*encoder, {"red", "q"}), ContainsSubstring("NaN or an infinity for the text \"q\""));
}

TEST_CASE("a network without a text tower refuses texts") {
  const Models without({{"other", 1}}, "");
  const auto encoder = open_encoder(without.preset);
  CHECK_THROWS_AS(encode(*encoder, {"red"}), Incompatible);
  CHECK_THROWS_WITH(encode(*encoder, {"red"}),
                    ContainsSubstring("reads pictures only") && ContainsSubstring("clip-vit-b-32"));
  CHECK_THROWS_AS(require_text(without.preset), Incompatible);
}

TEST_CASE("preset, network and vocabulary must fit") {
  const Models other({{"token_embedding", 49408}, {"context", 77}});
  CHECK_THROWS_WITH(encode(*open_encoder(other.preset), {"red"}), ContainsSubstring("77 tokens, the preset says 16"));
  const Models small({{"token_embedding", 1000}, {"context", 16}});
  CHECK_THROWS_AS(encode(*open_encoder(small.preset), {"red"}), Incompatible);
  CHECK_THROWS_WITH(encode(*open_encoder(small.preset), {"red"}),
                    ContainsSubstring("words.gz: a vocabulary of 49408 tokens") && ContainsSubstring("has 1000"));
}

TEST_CASE("a vocabulary is needed when the first text comes") {
  const Models models;
  std::filesystem::remove(models.folder / "words.gz");
  const auto encoder = open_encoder(models.preset);
  CHECK_THROWS_AS(encode(*encoder, {"red"}), MissingInput);
  CHECK_THROWS_WITH(encode(*encoder, {"red"}), ContainsSubstring("words.gz"));
  write_file(models.folder / "words.gz", "no vocabulary", false);
  CHECK_THROWS_AS(encode(*encoder, {"red"}), DamagedFile);
}
