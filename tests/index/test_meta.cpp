#include <cbir/base/error.hpp>
#include <lib/index/meta.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// With every field.
IndexMeta described() {
  return {.type = "ivf",
          .metric = Metric::dot,
          .dim = 12,
          .normalization = "l2",
          .encoder = "net",
          .fingerprint = std::string(64, 'a'),
          .preset = "{}",
          .augmentation = "{\"alpha\":3}",
          .parameters = {{"lists", 40}, {"probes", 7}},
          .cutoff = Cutoff{.score = .5, .precision = .99, .recall = 1},
          .shards = Shards{.parts = {2, 5}, .of = 5, .items = 77, .list = "digest"}};
}

std::string refusal(std::string_view from, std::string_view to) {
  std::string json = to_json(described());
  json.replace(json.find(from), from.size(), to);
  try {
    parse_meta(json, "x.cbir");
  } catch (const DamagedFile& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an index's description is the same once it was written and read") {
  const std::string json = to_json(described());
  CHECK(to_json(parse_meta(json, "x.cbir")) == json);
  const IndexMeta plain{.dim = 3};
  CHECK(to_json(parse_meta(to_json(plain), "x.cbir")) == to_json(plain));
  CHECK_THROWS_AS(refusal("\"ivf\"", "\"new\""), Incompatible);
  CHECK_THROWS_AS(refusal("\"dot\"", "\"new\""), Incompatible);
}

TEST_CASE("numbers that an index cannot have are damage, whatever their size") {
  const std::string where = "x.cbir: damaged index: its description: ";
  CHECK(refusal(":12,", ":1e27,") == where + "\"dim\" must be a whole number, found 1e+27");
  CHECK(refusal(":12,", ":-12,") == where + "\"dim\" must be a whole number, found -12");
  CHECK(refusal(":12,", ":12.5,") == where + "\"dim\" must be a whole number, found 12.5");
  CHECK(refusal("\"dim\"", "\"kim\"") == where + "no \"dim\"");
  CHECK(refusal(":12,", ":0,") == "x.cbir: damaged index: dimension 0, expected 1 to 16777216");
  CHECK(refusal("\"lists\":40", "\"lists\":1e300") ==
        where + "\"parameters\": \"lists\" must be a whole number, found 1e+300");
  CHECK(refusal("\"lists\"", "\"li\\u0000sts\"") == where + "\"parameters\": no \"li\"");
  CHECK(refusal(":0.99", ":null") == where + "\"cutoff\": \"precision\" must be a number, found null");
  CHECK(refusal("[2,5]", "[2,1e20]") ==
        where + "\"shards\": \"parts\" must be a list of whole numbers, found [2,1e+20]");
  CHECK(refusal("[2,5]", "[2,6]") == where + "\"shards\" has part 6 of 5 after 2");
  CHECK(refusal("\"of\":5", "\"of\":18446744073709551615") ==
        where + "\"shards\" is of 18446744073709551615 parts, at most 1000000 are known");
}
