#include <array>
#include <cmath>
#include <cstring>
#include <future>
#include <random>
#include <string>
#include <vector>

#include <cbir/encoder/net_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/plugin.hpp>
#include <tests/catch.hpp>
#include <tests/onnx/model.hpp>

using namespace cbir;
using onnx_file::value;

namespace {

constexpr std::int64_t kChannels = 5;
constexpr int kSide = 32;

const cbir_net_api& api() {
  static const cbir_net_api* const loaded =
      reinterpret_cast<const cbir_net_api* (*)()>(load_plugin("onnx", "cbir_net_plugin"))();
  return *loaded;
}

struct PresetFields {
  std::string layer = "auto", pool = "none";
  std::string input = {}, more = {};  ///< further fields of the preprocessing, and of the whole
  int dimension = kChannels, crop = kSide;
};

std::string preset(const PresetFields& fields = {}) {
  return R"({"network": "onnx", "layer": ")" + fields.layer + R"(", "pool": ")" + fields.pool + R"(", "dimension": )" +
         std::to_string(fields.dimension) + R"(, "preprocessing": {"crop": )" + std::to_string(fields.crop) +
         R"(, "mean": [100, 110, 120], "std": [50, 60, 70])" + fields.input + "}" + fields.more + "}";
}
const std::string kUncropped = R"(, "crop_mode": "none")";

/// 1x1 convolution -> ReLU ("map") -> average ("pooled", D x 1 x 1) -> "vector".
struct Model {
  std::vector<float> weights, bias;
  onnx_file::Graph graph;

  Model() {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < kChannels * 3; ++i) weights.push_back(normal(random));
    for (std::int64_t i = 0; i < kChannels; ++i) bias.push_back(normal(random));
    graph.nodes = {onnx_file::node("Conv", {"picture", "w", "b"}, "sum", {onnx_file::integers("kernel_shape", {1, 1})}),
                   onnx_file::node("Relu", {"sum"}, "map"), onnx_file::node("GlobalAveragePool", {"map"}, "pooled"),
                   onnx_file::node("Flatten", {"pooled"}, "vector")};
    graph.initialisers = {onnx_file::tensor("w", {kChannels, 3, 1, 1}, weights),
                          onnx_file::tensor("b", {kChannels}, bias)};
    graph.inputs = {value("picture", {-1, 3, -2, -3})};
    graph.outputs = {value("vector", {-1, kChannels})};
  }
  std::string file() const { return graph.to_file(); }
};

struct Net {
  int code = 0;
  std::string message;
  cbir_net* net = nullptr;

  Net(const std::string& preset_json, const std::string& file, const char* precision = "float32",
      const char* device = "cpu") {
    std::array<char, 1024> text{};
    const cbir_net_source source{.preset_json = preset_json.c_str(),
                                 .precision = precision,
                                 .device = device,
                                 .tensors = nullptr,
                                 .tensor_count = 0,
                                 .file = file.data(),
                                 .file_size = file.size()};
    code = api().create(&source, &net, text.data(), text.size());
    message = text.data();
  }
  ~Net() {
    if (net) api().destroy(net);
  }
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;
};

struct Picture {
  std::uint32_t width, height;
  std::vector<std::uint8_t> pixels;

  Picture(std::uint32_t w, std::uint32_t h, unsigned seed) : width(w), height(h), pixels(w * h * 3) {
    std::mt19937 random(seed);
    for (auto& v : pixels) v = static_cast<std::uint8_t>(random());
  }
  cbir_net_picture view() const { return {pixels.data(), width, height}; }
};

std::vector<float> encode(const Net& net, const std::vector<const Picture*>& pictures) {
  REQUIRE(net.message == "");
  std::vector<cbir_net_picture> views;
  for (const Picture* picture : pictures) views.push_back(picture->view());
  std::vector<float> out(views.size() * kChannels);
  std::array<char, 1024> text{};
  const int code = api().encode(net.net, views.data(), views.size(), out.data(), text.data(), text.size());
  INFO(text.data());
  REQUIRE(code == 0);
  return out;
}

/// By definition: the mean, maximum or generalised mean of relu(w (x - mean) / std + b).
std::vector<double> expected(const Model& model, const Picture& picture, const std::string& pool = "avg",
                             double p = 3) {
  constexpr std::array kMean = {100.0, 110.0, 120.0}, kStd = {50.0, 60.0, 70.0};
  const std::size_t count = picture.pixels.size() / 3;
  std::vector<double> out(kChannels, 0);
  for (std::size_t c = 0; c < out.size(); ++c) {
    for (std::size_t i = 0; i < count; ++i) {
      double sum = model.bias[c];
      for (std::size_t k = 0; k < 3; ++k)
        sum += model.weights[c * 3 + k] * (picture.pixels[i * 3 + k] - kMean[k]) / kStd[k];
      const double x = std::max(sum, 0.0);
      if (pool == "max") out[c] = std::max(out[c], x);
      else out[c] += (pool == "gem" ? std::pow(std::max(x, 1e-6), p) : x) / static_cast<double>(count);
    }
    if (pool == "gem") out[c] = std::pow(out[c], 1 / p);
  }
  return out;
}

void check_equal(const std::vector<float>& actual, const std::vector<double>& wanted) {
  REQUIRE(actual.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(actual[i] == Approx(wanted[i]).epsilon(1e-4).margin(1e-4));
}

void check_refused(const PresetFields& fields, const std::string& file, ExitCode code, const std::string& words) {
  const Net net(preset(fields), file);
  INFO(words);
  CHECK(net.code == static_cast<int>(code));
  CHECK_THAT(net.message, ContainsSubstring(words));
  CHECK(net.net == nullptr);
}

}  // namespace

TEST_CASE("a network describes itself") {
  CHECK(api().abi == CBIR_NET_ABI);
  const Net any(preset(), Model().file(), "auto", "auto");
  REQUIRE(any.message == "");
  cbir_net_info info{};
  api().describe(any.net, &info);
  CHECK(info.dim == kChannels);
  CHECK(info.width == 0);  // any
  CHECK(info.independent == 1);
  CHECK(info.context == 0);
  CHECK(std::string(info.precision) == "float32");
  CHECK(std::string(info.device) == "cpu");

  Model model;
  model.graph.inputs = {value("picture", {1, 3, kSide, kSide})};
  const Net fixed(preset(), model.file());
  REQUIRE(fixed.message == "");
  api().describe(fixed.net, &info);
  CHECK(info.width == kSide);
  CHECK(info.height == kSide);
}

TEST_CASE("pictures become what the graph says, whatever their order and size") {
  const Model model;
  const Net net(preset({.input = kUncropped}), model.file());
  const Picture a(40, 33, 1), b(64, 64, 2), c(35, 90, 3);
  const std::vector<float> together = encode(net, {&a, &b, &c, &a});
  const Picture* const pictures[] = {&a, &b, &c, &a};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<float> row(together.begin() + static_cast<std::ptrdiff_t>(i * kChannels),
                                 together.begin() + static_cast<std::ptrdiff_t>((i + 1) * kChannels));
    check_equal(row, expected(model, *pictures[i]));
    CHECK(encode(net, {pictures[i]}) == row);
  }
}

TEST_CASE("the vector may be an output, something on the way to it, or pooled out of a map") {
  const Model model;
  const Picture picture(kSide, kSide, 4);
  const std::vector<double> average = expected(model, picture);
  for (const char* layer : {"auto", "vector", "pooled"})
    check_equal(encode(Net(preset({.layer = layer}), model.file()), {&picture}), average);
  for (const char* pool : {"avg", "max", "gem"})
    check_equal(encode(Net(preset({.layer = "map", .pool = pool}), model.file()), {&picture}),
                expected(model, picture, pool));
  check_equal(
      encode(Net(preset({.layer = "map", .pool = "gem", .more = R"(, "gem_p": 4.5)"}), model.file()), {&picture}),
      expected(model, picture, "gem", 4.5));
}

TEST_CASE("the mirrored picture is averaged in, vectors of length 1 or as they are") {
  // Of every row the pixels 0, 2, 4 and so on, which after mirroring are the others.
  Model model;
  model.graph.nodes[0] =
      onnx_file::node("Conv", {"picture", "w", "b"}, "sum",
                      {onnx_file::integers("kernel_shape", {1, 1}), onnx_file::integers("strides", {1, 2})});
  const Picture picture(kSide, kSide, 6);
  Picture even(kSide / 2, kSide, 0), odd(kSide / 2, kSide, 0);
  for (std::size_t i = 0; i < even.pixels.size() / 3; ++i) {
    std::memcpy(&even.pixels[3 * i], &picture.pixels[6 * i], 3);
    std::memcpy(&odd.pixels[3 * i], &picture.pixels[6 * i + 3], 3);
  }
  std::vector<double> a = expected(model, even), b = expected(model, odd);
  const auto mean = [&] {
    std::vector<double> out;
    for (std::size_t i = 0; i < a.size(); ++i) out.push_back((a[i] + b[i]) / 2);
    return out;
  };
  check_equal(encode(Net(preset({.more = R"(, "flip": true, "normalization": "none")"}), model.file()), {&picture}),
              mean());
  for (std::vector<double>* v : {&a, &b}) {
    double squares = 0;
    for (const double x : *v) squares += x * x;
    for (double& x : *v) x /= std::sqrt(squares);
  }
  check_equal(encode(Net(preset({.more = R"(, "flip": true)"}), model.file()), {&picture}), mean());
}

TEST_CASE("threads that encode at once do not disturb each other") {
  const Net net(preset(), Model().file());
  std::vector<Picture> pictures;
  for (unsigned i = 0; i < 8; ++i) pictures.emplace_back(kSide, kSide, i);
  std::vector<const Picture*> all;
  for (const Picture& picture : pictures) all.push_back(&picture);
  const std::vector<float> wanted = encode(net, all);
  std::vector<std::future<bool>> threads;
  for (int t = 0; t < 4; ++t)
    threads.push_back(std::async(std::launch::async, [&] {
      std::vector<cbir_net_picture> views;
      for (const Picture& picture : pictures) views.push_back(picture.view());
      std::vector<float> out(wanted.size());
      for (int round = 0; round < 20; ++round)
        if (api().encode(net.net, views.data(), views.size(), out.data(), nullptr, 0) != 0 || out != wanted)
          return false;
      return true;
    }));
  for (auto& thread : threads) CHECK(thread.get());
}

TEST_CASE("outputs that could be meant are listed with their shapes") {
  Model model;
  model.graph.outputs = {value("vector", {-1, kChannels}), value("map", {-1, kChannels, -2, -3})};
  CHECK(Net(preset(), model.file()).message == "");                 // one of them is a vector
  CHECK(Net(preset({.pool = "max"}), model.file()).message == "");  // the other has positions
  model.graph.outputs.push_back(value("pooled", {-1, kChannels, 1, 1}));
  check_refused(
      {}, model.file(), ExitCode::incompatible,
      "2 of the model's outputs could be meant by 'layer': 'auto' and 'pool': 'none'; name one: 'vector' (1 x 5), "
      "'map' (1 x 5 x 32 x 32), 'pooled' (1 x 5 x 1 x 1)");
  check_refused({.layer = "head"}, model.file(), ExitCode::incompatible,
                "nothing that is named 'head'; its outputs are: 'vector' (float32, side1 x 5), 'map'");
  check_refused({.layer = "map"}, model.file(), ExitCode::incompatible,
                "output 'map' is 1 x 5 x 32 x 32 for pictures of 32 x 32, no vector");
  check_refused({.layer = "vector", .pool = "avg"}, model.file(), ExitCode::incompatible, "no positions to pool");
  check_refused({.layer = "vector", .dimension = 7}, model.file(), ExitCode::incompatible,
                "output 'vector' is 1 x 5 for pictures of 32 x 32, the preset says 'dimension': 7");
}

TEST_CASE("an input that is not one picture is refused") {
  const auto refused = [](const std::vector<std::string>& inputs, const std::string& words,
                          const PresetFields& fields = {}) {
    Model model;
    model.graph.inputs = inputs;
    check_refused(fields, model.file(), ExitCode::incompatible, words);
  };
  refused({}, "must have one input, a picture; it has 0");
  refused({value("a", {1, 3, 32, 32}), value("more", {1, 4})},
          "it has 2: 'a' (float32, 1 x 3 x 32 x 32), 'more' (float32, 1 x 4)");
  refused({value("picture", {1, 32, 32, 3})}, "float32, N x 3 x height x width was expected");
  refused({value("picture", {1, 3, 32, 32}, 2)}, "'picture' (uint8, 1 x 3 x 32 x 32); float32");
  refused({value("picture", {1, 3})}, "was expected");
  refused({value("picture", {16, 3, 32, 32})}, "one picture at a time");
  refused({value("picture", {1, 3, 48, 48})}, "the preset makes pictures of 32 x 32");
  refused({value("picture", {1, 3, 32, 32})}, "not uncropped ones", {.input = kUncropped});
}

TEST_CASE("what this plug-in cannot do is refused") {
  const std::string file = Model().file();
  check_refused({.more = R"(, "scales": [1, 0.5])"}, file, ExitCode::incompatible, "'scales' must be [1]");
  check_refused({.pool = "rmac"}, file, ExitCode::incompatible, "no pool 'rmac'");
  check_refused({.more = R"(, "text": {"context": 77})"}, file, ExitCode::incompatible, "reads no text");
  Model unknown;
  unknown.graph.nodes[1] = onnx_file::node("Reluu", {"sum"}, "map");
  check_refused({}, unknown.file(), ExitCode::incompatible, "cannot run this model");
  const Net bfloat16(preset(), file, "bfloat16");
  CHECK(bfloat16.code == static_cast<int>(ExitCode::resource));
  CHECK_THAT(bfloat16.message, ContainsSubstring("no precision bfloat16"));
  const Net cuda(preset(), file, "float32", "cuda");
  CHECK(cuda.code == static_cast<int>(ExitCode::resource));
  CHECK(Net(preset(), file, "int7").code == static_cast<int>(ExitCode::usage));

  const Net net(preset(), file);
  std::array<char, 100> message{};
  CHECK(api().encode_text(net.net, nullptr, 0, nullptr, message.data(), message.size()) ==
        static_cast<int>(ExitCode::incompatible));
}

TEST_CASE("a file that is cut short or is none is damaged") {
  const std::string file = Model().file();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, file.size() / 2, file.size() - 30})
    check_refused({}, file.substr(0, size), ExitCode::damaged, "ONNX file");
  check_refused({}, "GIF89a", ExitCode::damaged, "ONNX file");
}
