#include <cbir/base/error.hpp>
#include <cbir/catalog/catalog.hpp>

#include "tests/catch.hpp"
#include "tests/encoder/preset_text.hpp"

using namespace cbir;

namespace {

CatalogSettings settings() {
  return {.preset = parse_preset(preset_text(), "test"),
          .fingerprint = std::string(64, 'a'),
          .local = {.name = "sift", .fingerprint = std::string(64, 'b'), .dim = 128, .binary = false},
          .local_options = {.features = "sift", .keypoints = 700, .max_side = 256},
          .thresholds = {.score = 5.5, .similarity = .75}};
}

}  // namespace

TEST_CASE("Settings are read as they were written") {
  const CatalogSettings written = settings(), read = parse_catalog_settings(to_json(written), "catalog.json");
  CHECK(read.preset.json == written.preset.json);
  CHECK(read.fingerprint == written.fingerprint);
  CHECK(read.local == written.local);
  CHECK(read.local_options.features == "sift");
  CHECK(read.local_options.keypoints == 700);
  CHECK(read.local_options.max_side == 256);
  CHECK(read.thresholds == written.thresholds);
  CHECK(to_json(read) == to_json(written));
}

TEST_CASE("Any byte that was changed is damage") {
  const std::string sound = to_json(settings());
  std::size_t missed = 0;
  for (std::size_t i = 0; i < sound.size(); ++i) {
    if (std::isspace(static_cast<unsigned char>(sound[i]))) continue;  // of no meaning between fields
    std::string text = sound;
    text[i] ^= 1;
    try {
      parse_catalog_settings(text, "catalog.json");
      ++missed;
    } catch (const DamagedFile&) {
    } catch (const Incompatible&) {  // no catalogue's any more
    }
  }
  CHECK(missed == 0);
}

TEST_CASE("Another file is told from a damaged one") {
  CHECK_THROWS_AS(parse_catalog_settings("{}", "x"), Incompatible);
  CHECK_THROWS_AS(parse_catalog_settings("no JSON", "x"), DamagedFile);
}
