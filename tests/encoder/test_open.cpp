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
  CHECK_THROWS_WITH(open_encoder(models.preset), ContainsSubstring("2 bytes, encoder 'tiny' has weights of 3"));
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

TEST_CASE("weights that only have an address must be fetched by hand") {
  Models models;
  models.preset.weights.pypi.clear();
  models.preset.weights.url = "https://example.org/tiny.pth";
  CHECK_THROWS_AS(fetch_weights(models.preset, false), MissingInput);
  CHECK_THROWS_WITH(fetch_weights(models.preset, false),
                    ContainsSubstring("https://example.org/tiny.pth") && ContainsSubstring("by hand"));
}
