// Networks of local features through their C boundary, with random parameters. What the numbers must be is tested by
// tests/parity.

#include <array>
#include <cstring>
#include <future>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <cbir/local/local_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/plugin.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

const cbir_local_api& api() {
  static const cbir_local_api* const loaded =
      reinterpret_cast<const cbir_local_api* (*)()>(load_plugin("nets", "cbir_local_plugin"))();
  return *loaded;
}

struct Parameter {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// A checkpoint of random numbers.
class Weights {
 public:
  Parameter& add(const std::string& name, const std::vector<std::int64_t>& shape, float mean, float spread) {
    const auto count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    Parameter& out = parameters[name] = {shape, std::vector<float>(static_cast<std::size_t>(count))};
    std::uniform_real_distribution<float> values(mean - spread, mean + spread);
    for (float& v : out.values) v = values(random_);
    return out;
  }
  /// A convolution or a linear layer.
  void layer(const std::string& name, const std::vector<std::int64_t>& shape, bool bias = true) {
    const auto inputs = std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
    add(name + ".weight", shape, 0, std::sqrt(6.0F / static_cast<float>(inputs)));
    if (bias) add(name + ".bias", {shape[0]}, 0, .1F);
  }

  std::map<std::string, Parameter> parameters;

 private:
  std::mt19937 random_{11};
};

const Weights& xfeat() {
  static const Weights made = [] {
    Weights out;
    const auto basic = [&](const std::string& name, std::int64_t to, std::int64_t from, std::int64_t kernel) {
      out.layer(name + ".layer.0", {to, from, kernel, kernel}, false);
      out.add(name + ".layer.1.running_mean", {to}, 0, .3F);
      out.add(name + ".layer.1.running_var", {to}, 1, .5F);
    };
    struct Layer {
      const char* name;
      std::int64_t to, from, kernel;
    };
    for (const Layer& l : std::initializer_list<Layer>{
             {"block1.0", 4, 1, 3},          {"block1.1", 8, 4, 3},         {"block1.2", 8, 8, 3},
             {"block1.3", 24, 8, 3},         {"block2.0", 24, 24, 3},       {"block2.1", 24, 24, 3},
             {"block3.0", 64, 24, 3},        {"block3.1", 64, 64, 3},       {"block3.2", 64, 64, 1},
             {"block4.0", 64, 64, 3},        {"block4.1", 64, 64, 3},       {"block4.2", 64, 64, 3},
             {"block5.0", 128, 64, 3},       {"block5.1", 128, 128, 3},     {"block5.2", 128, 128, 3},
             {"block5.3", 64, 128, 1},       {"block_fusion.0", 64, 64, 3}, {"block_fusion.1", 64, 64, 3},
             {"heatmap_head.0", 64, 64, 1},  {"heatmap_head.1", 64, 64, 1}, {"keypoint_head.0", 64, 64, 1},
             {"keypoint_head.1", 64, 64, 1}, {"keypoint_head.2", 64, 64, 1}})
      basic(l.name, l.to, l.from, l.kernel);
    out.layer("skip1.1", {24, 1, 1, 1});
    out.layer("block_fusion.2", {64, 64, 1, 1});
    out.layer("heatmap_head.2", {1, 64, 1, 1});
    out.layer("keypoint_head.3", {65, 64, 1, 1});
    out.add("fine_matcher.0.weight", {512, 128}, 0, 1);  // not used
    return out;
  }();
  return made;
}

/// Two layers, two heads of eight numbers.
const Weights& lightglue() {
  static const Weights made = [] {
    constexpr std::int64_t kWidth = 16;
    Weights out;
    out.layer("input_proj", {kWidth, 6});
    out.layer("posenc.Wr", {4, 2}, false);
    for (const char* layer : {"0", "1"}) {
      const std::string self = std::string("transformers.") + layer + ".self_attn",
                        cross = std::string("transformers.") + layer + ".cross_attn",
                        assignment = std::string("log_assignment.") + layer;
      out.layer(self + ".Wqkv", {3 * kWidth, kWidth});
      out.layer(self + ".out_proj", {kWidth, kWidth});
      for (const char* name : {".to_qk", ".to_v", ".to_out"}) out.layer(cross + name, {kWidth, kWidth});
      for (const std::string& block : {self, cross}) {
        out.layer(block + ".ffn.0", {2 * kWidth, 2 * kWidth});
        out.add(block + ".ffn.1.weight", {2 * kWidth}, 1, .1F);
        out.add(block + ".ffn.1.bias", {2 * kWidth}, 0, .1F);
        out.layer(block + ".ffn.3", {kWidth, 2 * kWidth});
      }
      out.layer(assignment + ".final_proj", {kWidth, kWidth});
      for (float& v : out.parameters[assignment + ".final_proj.weight"].values) v *= 4;  // so that some pairs stand out
      out.layer(assignment + ".matchability", {1, kWidth});
    }
    out.layer("token_confidence.0.token.0", {1, kWidth});
    return out;
  }();
  return made;
}

std::string features_preset(const std::string& network = "xfeat", int dimension = 64) {
  return R"({"network": ")" + network + R"(", "dimension": )" + std::to_string(dimension) +
         R"(, "threshold": 0.02, "radius": 2})";
}

constexpr const char* kMatcherPreset = R"({"network": "lightglue", "dimension": 6, "threshold": 0.0001,
    "depth_confidence": 0.95, "width_confidence": 0.99})";

/// The outcome of building an extractor or a matcher.
template <typename Handle>
struct Created {
  int code = 0;
  std::string message;
  Handle* handle = nullptr;
  void (*destroy)(Handle*) = nullptr;
  Created() = default;
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;
  ~Created() {
    if (handle) destroy(handle);
  }
};

template <typename Handle>
void create(Created<Handle>& out, int (*make)(const cbir_net_source*, Handle**, char*, std::size_t),
            void (*destroy)(Handle*), const std::string& preset, const Weights& weights) {
  std::vector<cbir_net_tensor> list;
  for (const auto& [name, p] : weights.parameters)
    list.push_back({name.c_str(), "float32", p.shape.data(), p.shape.size(), p.values.data()});
  const cbir_net_source source{.preset_json = preset.c_str(),
                               .precision = "float32",
                               .device = "cpu",
                               .tensors = list.data(),
                               .tensor_count = list.size(),
                               .file = nullptr,
                               .file_size = 0};
  std::array<char, 512> message{};
  out.destroy = destroy;
  out.code = make(&source, &out.handle, message.data(), message.size());
  out.message = message.data();
}

void create(Created<cbir_local_extractor>& out, const std::string& preset, const Weights& weights) {
  create(out, api().create_extractor, api().destroy_extractor, preset, weights);
}
void create(Created<cbir_local_matcher>& out, const std::string& preset, const Weights& weights) {
  create(out, api().create_matcher, api().destroy_matcher, preset, weights);
}

const cbir_local_extractor* extractor() {
  static Created<cbir_local_extractor> made;
  if (!made.handle) create(made, features_preset(), xfeat());
  REQUIRE(made.message.empty());
  return made.handle;
}

const cbir_local_matcher* matcher() {
  static Created<cbir_local_matcher> made;
  if (!made.handle) create(made, kMatcherPreset, lightglue());
  REQUIRE(made.message.empty());
  return made.handle;
}

/// The error of a checkpoint that does not fit.
void refused(const std::string& preset, const Weights& weights, ExitCode code, const std::string& words) {
  Created<cbir_local_extractor> made;
  create(made, preset, weights);
  CHECK(made.code == static_cast<int>(code));
  CHECK_THAT(made.message, ContainsSubstring(words));
}

struct Features {
  std::vector<cbir_local_keypoint> keypoints;
  std::vector<float> descriptors;

  std::string bytes() const {
    return std::string(reinterpret_cast<const char*>(keypoints.data()), keypoints.size() * sizeof keypoints[0]) +
           std::string(reinterpret_cast<const char*>(descriptors.data()), descriptors.size() * sizeof(float));
  }
};

struct Picture {
  std::uint32_t width, height;
  std::vector<std::uint8_t> pixels;

  static Picture noise(std::uint32_t width, std::uint32_t height) {
    Picture out{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
    std::mt19937 random(width * 1000 + height);
    for (std::uint8_t& v : out.pixels) v = static_cast<std::uint8_t>(random());
    return out;
  }
};

Features find(const Picture& picture, std::uint32_t limit = 100) {
  Features out;
  const auto sink = [](void* context, const cbir_local_features* found) {
    auto& to = *static_cast<Features*>(context);
    to.keypoints.assign(found->keypoints, found->keypoints + found->count);
    to.descriptors.assign(found->descriptors, found->descriptors + std::size_t{found->count} * found->dim);
  };
  std::array<char, 512> message{};
  const cbir_net_picture input{picture.pixels.data(), picture.width, picture.height};
  CHECK(api().extract(extractor(), &input, limit, sink, &out, message.data(), message.size()) == 0);
  CHECK(std::string(message.data()).empty());
  return out;
}

/// Keypoints anywhere in a picture of 200 x 100.
Features some(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> unit(0, 1);
  Features out;
  for (std::size_t i = 0; i < count; ++i)
    out.keypoints.push_back({.x = unit(random) * 200, .y = unit(random) * 100, .size = 0, .angle = -1, .score = 1});
  for (std::size_t i = 0; i < count * 6; ++i) out.descriptors.push_back(unit(random) - .5F);
  return out;
}

cbir_local_features view(const Features& features, std::uint32_t dim = 6) {
  return {.width = 200,
          .height = 100,
          .count = static_cast<std::uint32_t>(features.keypoints.size()),
          .dim = dim,
          .keypoints = features.keypoints.data(),
          .descriptors = features.descriptors.data(),
          .bits = nullptr};
}

struct Matched {
  int code = 0;
  std::string message;
  std::vector<cbir_local_match> matches;
};

Matched match(const cbir_local_features& a, const cbir_local_features& b) {
  Matched out;
  const auto sink = [](void* context, const cbir_local_match* matches, std::size_t count) {
    static_cast<Matched*>(context)->matches.assign(matches, matches + count);
  };
  std::array<char, 512> message{};
  out.code = api().match(matcher(), &a, &b, sink, &out, message.data(), message.size());
  out.message = message.data();
  return out;
}

}  // namespace

TEST_CASE("local features: the strongest first, as many as asked for, inside the picture") {
  const Features found = find(Picture::noise(200, 130), 50);
  REQUIRE(found.keypoints.size() == 50);
  CHECK(found.descriptors.size() == 50 * 64);
  for (std::size_t i = 0; i < 50; ++i) {
    const cbir_local_keypoint& point = found.keypoints[i];
    CHECK((point.x >= 0 && point.x < 200 && point.y >= 0 && point.y < 130));
    if (i > 0) CHECK(point.score <= found.keypoints[i - 1].score);
    const float* row = found.descriptors.data() + i * 64;
    CHECK(std::inner_product(row, row + 64, row, 0.0F) == Approx(1).margin(1e-4));
  }
  const Features more = find(Picture::noise(200, 130), 80);
  CHECK(std::memcmp(more.keypoints.data(), found.keypoints.data(), 50 * sizeof(cbir_local_keypoint)) == 0);
  cbir_local_extractor_info info{};
  api().describe_extractor(extractor(), &info);
  CHECK(info.dim == 64);
  CHECK(info.binary == 0);
}

TEST_CASE("local features: pictures of any shape have a defined answer") {
  for (const auto& [width, height] :
       std::vector<std::pair<std::uint32_t, std::uint32_t>>{{1, 1}, {1, 900}, {31, 33}, {64, 7}, {32, 32}, {97, 331}})
    for (const cbir_local_keypoint& point : find(Picture::noise(width, height)).keypoints) {
      CHECK(point.x < static_cast<float>(width));
      CHECK(point.y < static_cast<float>(height));
    }
}

TEST_CASE("local features: the same from any thread, however many call at once") {
  const Picture first = Picture::noise(160, 96), second = Picture::noise(96, 128);
  const std::string of_first = find(first).bytes(), of_second = find(second).bytes();
  REQUIRE_FALSE(of_first.empty());
  std::vector<std::future<std::string>> calls;
  for (int i = 0; i < 8; ++i)
    calls.push_back(std::async(std::launch::async, [&, i] { return find(i % 2 ? second : first).bytes(); }));
  for (std::size_t i = 0; i < calls.size(); ++i) CHECK(calls[i].get() == (i % 2 ? of_second : of_first));
}

TEST_CASE("local features: weights that do not fit are refused, naming the first that does not") {
  const auto with = [](const Weights& weights, auto change) {
    Weights out = weights;
    change(out.parameters);
    return out;
  };
  using Map = std::map<std::string, Parameter>;
  refused(features_preset("yfeat"), xfeat(), ExitCode::incompatible, "network of local features 'yfeat' is not known");
  refused(features_preset("xfeat", 128), xfeat(), ExitCode::incompatible, "have 64 numbers, not 128");
  refused(R"({"network": "xfeat"})", xfeat(), ExitCode::damaged, "the preset cannot be used");
  refused(features_preset("superpoint", 256), xfeat(), ExitCode::incompatible, "conv1a.weight (64x1x3x3) is missing");
  refused(features_preset("aliked-n16", 128), xfeat(), ExitCode::incompatible,
          "block1.conv1.weight (16x3x3x3) is missing");
  refused(features_preset(), with(xfeat(), [](Map& map) { map.erase("block4.1.layer.0.weight"); }),
          ExitCode::incompatible, "block4.1.layer.0.weight (64x64x3x3) is missing");
  refused(features_preset(),
          with(xfeat(),
               [](Map& map) {
                 map["skip1.1.bias"].shape = {12, 2};
               }),
          ExitCode::incompatible, "skip1.1.bias is 12x2, 24 was expected");
  refused(features_preset(),
          with(xfeat(),
               [](Map& map) {
                 map["extra"] = {{1}, {0}};
               }),
          ExitCode::incompatible, "extra (1) is not one of this network's");
  refused(features_preset(),
          with(xfeat(),
               [](Map& map) { map["block2.0.layer.0.weight"].values[3] = std::numeric_limits<float>::quiet_NaN(); }),
          ExitCode::damaged, "block2.0.layer.0.weight holds a NaN");
  refused(features_preset(), with(xfeat(), [](Map& map) { map["block2.0.layer.1.running_var"].values[3] = -1; }),
          ExitCode::damaged, "block2.0.layer.1.running_var makes no sense as a variance");

  Created<cbir_local_matcher> made;
  create(made, kMatcherPreset, xfeat());
  CHECK(made.code == static_cast<int>(ExitCode::incompatible));
  CHECK_THAT(made.message, ContainsSubstring("log_assignment.0.final_proj.weight is missing"));
  Created<cbir_local_matcher> odd;
  create(odd, kMatcherPreset, with(lightglue(), [](Map& map) {
           map["posenc.Wr.weight"] = {{3, 2}, std::vector<float>(6)};
         }));
  CHECK_THAT(odd.message, ContainsSubstring("heads have 6 numbers, of 16"));
  Created<cbir_local_matcher> glue;
  create(glue, R"({"network": "superglue", "dimension": 256, "threshold": 0.2})", lightglue());
  CHECK_THAT(glue.message, ContainsSubstring("final_proj.weight (256x256x1) is missing"));
}

TEST_CASE("matches: pairs of keypoints, each in one at most, in the order of the first picture's") {
  const Features a = some(60, 1), b = some(45, 2);
  const Matched found = match(view(a), view(b));
  CHECK(found.message.empty());
  REQUIRE(found.matches.size() > 3);
  std::vector<bool> taken(45);
  for (std::size_t i = 0; i < found.matches.size(); ++i) {
    const cbir_local_match& pair = found.matches[i];
    REQUIRE((pair.a < 60 && pair.b < 45));
    if (i > 0) CHECK(pair.a > found.matches[i - 1].a);
    CHECK_FALSE(taken[pair.b]);
    taken[pair.b] = true;
    CHECK((pair.score > .0001F && pair.score <= 1));
  }
  const auto bytes = [](const Matched& m) {
    return std::string(reinterpret_cast<const char*>(m.matches.data()), m.matches.size() * sizeof m.matches[0]);
  };
  std::vector<std::future<Matched>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(std::async(std::launch::async, [&] { return match(view(a), view(b)); }));
  for (auto& call : calls) CHECK(bytes(call.get()) == bytes(found));
}

TEST_CASE("matches: of one keypoint, of none, of features of another kind") {
  CHECK(match(view(some(1, 1)), view(some(1, 2))).code == 0);
  CHECK(match(view(some(0, 1)), view(some(5, 2))).matches.empty());
  CHECK(match(view(some(5, 1)), view(some(0, 2), 0)).matches.empty());
  const Matched other = match(view(some(5, 1)), view(some(5, 2), 4));
  CHECK(other.code == static_cast<int>(ExitCode::incompatible));
  CHECK_THAT(other.message, ContainsSubstring("descriptors of 6 numbers, not of 4"));
}
