#include <cstdlib>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/encoder/encoder.hpp>
#include <cbir/encoder/fetch.hpp>
#include <tests/catch.hpp>
#include <tests/encoder/preset_text.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// A models folder of the test's own.
struct Models {
  Models() { setenv("CBIR_MODELS", folder.path().c_str(), 1); }
  ~Models() { unsetenv("CBIR_MODELS"); }
  Models(const Models&) = delete;
  Models& operator=(const Models&) = delete;
  TemporaryFolder folder;
  Preset preset = parse_preset(preset_text(), "tiny.json");
};

}  // namespace

TEST_CASE("weights that are missing: what to do is said") {
  const Models models;
  CHECK_THROWS_AS(open_encoder(models.preset), MissingInput);
  CHECK_THROWS_WITH(open_encoder(models.preset),
                    ContainsSubstring("tiny.pth") && ContainsSubstring("cbir-models fetch tiny"));
  CHECK_THROWS_AS(verify_weights(models.preset), MissingInput);
  CHECK_THROWS_AS(open_encoder(models.preset, models.folder / "none.pth"), MissingInput);
}

TEST_CASE("weights are checked by size and hash before anything else is done with them") {
  const Models models;
  write_file(models.folder / "tiny.pth", "ab", false);
  CHECK_THROWS_WITH(open_encoder(models.preset), ContainsSubstring("2 bytes, encoder 'tiny' has one of 3"));
  write_file(models.folder / "tiny.pth", "abd", true);
  CHECK_THROWS_AS(open_encoder(models.preset), DamagedFile);
  CHECK_THROWS_WITH(verify_weights(models.preset),
                    ContainsSubstring("SHA-256 is a52d159f") && ContainsSubstring("--force"));
  write_file(models.folder / "tiny.pth", "abc", true);
  CHECK_NOTHROW(verify_weights(models.preset));
  CHECK_FALSE(fetch_weights(models.preset, false));  // here already: nothing is run
}

TEST_CASE("weights of one's own may have any hash, but must be weights") {
  const Models models;
  write_file(models.folder / "own.pth", "abd", false);
  CHECK_THROWS_AS(open_encoder(models.preset, models.folder / "own.pth"), Error);
  CHECK_THROWS_WITH(open_encoder(models.preset, models.folder / "own.pth"),
                    ContainsSubstring("own.pth: not a checkpoint"));
}

TEST_CASE("weights that have an address are downloaded, and kept if they are the right ones") {
  Models models;
  write_file(models.folder / "published", "abc", false);
  SourceFile& weights = models.preset.weights;
  weights.pypi.clear();
  weights.url = "file://" + (models.folder / "published");
  weights.sha256 = "ba7816bf";  // all that is known of it
  CHECK(fetch_weights(models.preset, false));
  CHECK(read_text(weights_path(models.preset)) == "abc");
  CHECK_FALSE(fetch_weights(models.preset, false));
  write_file(weights_path(models.preset), "ab", true);
  CHECK_THROWS_AS(fetch_weights(models.preset, false), DamagedFile);
  CHECK(fetch_weights(models.preset, true));  // --force
  write_file(models.folder / "published", "abd", true);
  write_file(weights_path(models.preset), "ab", true);
  CHECK_THROWS_WITH(fetch_weights(models.preset, true), ContainsSubstring("nothing was kept"));
  CHECK(read_text(weights_path(models.preset)) == "ab");
  weights.url = "file://" + (models.folder / "nowhere");
  CHECK_THROWS_AS(fetch_weights(models.preset, true), MissingInput);
  weights.url.clear();
  CHECK_THROWS_WITH(fetch_weights(models.preset, true), ContainsSubstring("names no place"));
}

TEST_CASE("a preset of one's own finds its weights beside itself") {
  const Models models;
  const TemporaryFolder folder;
  write_file(folder / "mine.json", preset_text(), false);
  const Preset preset = load_preset(folder / "mine.json");
  CHECK(weights_path(preset) == models.folder / "tiny.pth");
  write_file(folder / "tiny.pth", "abc", false);
  CHECK(weights_path(preset) == folder / "tiny.pth");
  CHECK_NOTHROW(verify_weights(preset));
}
