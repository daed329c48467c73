#include <array>
#include <cmath>
#include <cstring>
#include <future>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <cbir/encoder/net_plugin.h>
#include <cbir/base/error.hpp>
#include <cbir/base/plugin.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

const cbir_net_api& api() {
  static const cbir_net_api* const loaded =
      reinterpret_cast<const cbir_net_api* (*)()>(load_plugin("nets", "cbir_net_plugin"))();
  return *loaded;
}

std::string preset(const std::string& network = "efficientnet-lite0", int crop = 64, const std::string& pool = "avg") {
  return R"({"network": ")" + network + R"(", "layer": "pooled", "pool": ")" + pool + R"(", "dimension": 1280,
             "preprocessing": {"crop": )" +
         std::to_string(crop) + R"(, "mean": [127, 127, 127], "std": [128, 128, 128]}})";
}

struct Parameter {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using ParameterMap = std::map<std::string, Parameter>;

/// Random parameters of EfficientNet-Lite0's names and shapes.
class Maker {
 public:
  ParameterMap make() {
    conv("_conv_stem", "_bn0", {32, 3, 3, 3});
    struct Stage {
      std::int64_t repeat, kernel, expansion, in, out;
    };
    int block = 0;
    for (const Stage& s :
         {Stage{1, 3, 1, 32, 16}, Stage{2, 3, 6, 16, 24}, Stage{2, 5, 6, 24, 40}, Stage{3, 3, 6, 40, 80},
          Stage{3, 5, 6, 80, 112}, Stage{4, 5, 6, 112, 192}, Stage{1, 3, 6, 192, 320}})
      for (std::int64_t i = 0; i < s.repeat; ++i) {
        const std::string prefix = "_blocks." + std::to_string(block++) + ".";
        const std::int64_t in = i ? s.out : s.in, wide = in * s.expansion;
        if (s.expansion > 1) conv(prefix + "_expand_conv", prefix + "_bn0", {wide, in, 1, 1});
        conv(prefix + "_depthwise_conv", prefix + "_bn1", {wide, 1, s.kernel, s.kernel});
        conv(prefix + "_project_conv", prefix + "_bn2", {s.out, wide, 1, 1});
      }
    conv("_conv_head", "_bn1", {1280, 320, 1, 1});
    return std::move(parameters_);
  }

 private:
  void add(const std::string& name, const std::vector<std::int64_t>& shape, float mean, float spread) {
    const auto count = std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
    Parameter parameter{shape, std::vector<float>(static_cast<std::size_t>(count))};
    std::uniform_real_distribution<float> values(mean - spread, mean + spread);
    for (float& v : parameter.values) v = values(random_);
    parameters_[name] = std::move(parameter);
  }

  void conv(const std::string& name, const std::string& bn, const std::vector<std::int64_t>& shape) {
    add(name + ".weight", shape, 0, std::sqrt(6.0F / static_cast<float>(shape[1] * shape[2] * shape[3])));
    add(bn + ".weight", {shape[0]}, 1, 0.3F);
    add(bn + ".bias", {shape[0]}, 0.3F, 0.5F);
    add(bn + ".running_mean", {shape[0]}, 0, 0.3F);
    add(bn + ".running_var", {shape[0]}, 1, 0.5F);
  }

  std::mt19937 random_{7};
  ParameterMap parameters_;
};

const ParameterMap& sound() {
  static const ParameterMap parameters = Maker().make();
  return parameters;
}

struct Created {
  int code = 0;
  std::string message;
  cbir_net* net = nullptr;
  Created() = default;
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;
  ~Created() {
    if (net) api().destroy(net);
  }
};

/// How a network is to be run.
struct Options {
  const char *precision = "float32", *device = "cpu";
};

cbir_net_source source_of(const std::string& json, const std::vector<cbir_net_tensor>& tensors, Options options = {}) {
  return {.preset_json = json.c_str(),
          .precision = options.precision,
          .device = options.device,
          .tensors = tensors.data(),
          .tensor_count = tensors.size(),
          .file = nullptr,
          .file_size = 0};
}

void create(Created& out, const std::string& json, const ParameterMap& parameters, const char* type = "float32",
            Options options = {}) {
  std::vector<cbir_net_tensor> list;
  for (const auto& [name, p] : parameters)
    list.push_back({name.c_str(), type, p.shape.data(), p.shape.size(), p.values.data()});
  std::array<char, 512> message{};
  const cbir_net_source source = source_of(json, list, options);
  out.code = api().create(&source, &out.net, message.data(), message.size());
  out.message = message.data();
}

std::vector<std::uint8_t> pictures(std::size_t count, std::size_t size) {
  std::vector<std::uint8_t> out(count * size * size * 3);
  std::mt19937 random(3);
  for (auto& v : out) v = static_cast<std::uint8_t>(random());
  return out;
}

std::vector<cbir_net_picture> squares(const std::uint8_t* pixels, std::size_t count, std::uint32_t size) {
  std::vector<cbir_net_picture> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({pixels + i * size * size * 3, size, size});
  return out;
}

std::vector<float> encode(const cbir_net* net, const std::uint8_t* pixels, std::size_t count, std::uint32_t size) {
  std::vector<float> out(count * 1280);
  REQUIRE(api().encode(net, squares(pixels, count, size).data(), count, out.data(), nullptr, 0) == 0);
  return out;
}

void check_refused(const std::string& json, const ParameterMap& parameters, ExitCode code, const std::string& words) {
  Created made;
  create(made, json, parameters);
  CHECK(made.code == static_cast<int>(code));
  CHECK_THAT(made.message, ContainsSubstring(words));
  CHECK(made.net == nullptr);
}

}  // namespace

TEST_CASE("a network describes itself") {
  CHECK(api().abi == CBIR_NET_ABI);
  Created made;
  create(made, preset(), sound());
  REQUIRE(made.message == "");
  REQUIRE(made.code == 0);
  cbir_net_info info{};
  api().describe(made.net, &info);
  CHECK(info.dim == 1280);
  CHECK(info.width == 0);  // any
  CHECK(info.height == 0);
  CHECK(info.context == 0);
  CHECK(std::string(info.precision) == "float32");
  CHECK(std::string(info.device) == "cpu");
}

TEST_CASE("a picture's embedding depends on that picture alone") {
  for (const std::uint32_t size : {64U, 33U, 97U}) {  // odd sizes pad in another way
    Created made;
    create(made, preset("efficientnet-lite0", static_cast<int>(size)), sound());
    REQUIRE(made.code == 0);
    const auto inputs = pictures(5, size);
    const std::size_t bytes = inputs.size() / 5;
    const std::vector<float> together = encode(made.net, inputs.data(), 5, size);
    CHECK(encode(made.net, inputs.data(), 5, size) == together);
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(std::memcmp(encode(made.net, inputs.data() + i * bytes, 1, size).data(), together.data() + i * 1280,
                        1280 * sizeof(float)) == 0);
    CHECK(std::memcmp(together.data(), together.data() + 1280, 1280 * sizeof(float)) != 0);
  }
}

TEST_CASE("threads that encode at once do not disturb each other") {
  Created made;
  create(made, preset(), sound());
  REQUIRE(made.code == 0);
  const auto inputs = pictures(8, 64);
  const std::vector<float> expected = encode(made.net, inputs.data(), 8, 64);
  std::vector<std::future<bool>> threads;
  for (int t = 0; t < 4; ++t)
    threads.push_back(std::async(std::launch::async, [&] {
      std::vector<float> out(8 * 1280);
      const auto slots = squares(inputs.data(), 8, 64);
      for (int i = 0; i < 10; ++i)
        if (api().encode(made.net, slots.data(), 8, out.data(), nullptr, 0) != 0 || out != expected) return false;
      return true;
    }));
  for (auto& thread : threads) CHECK(thread.get());
}

TEST_CASE("the classifier and counters of a checkpoint are passed over") {
  ParameterMap parameters = sound();
  parameters["_fc.weight"] = {{10, 1280}, std::vector<float>(12800)};
  parameters["_bn0.num_batches_tracked"] = {{}, {0}};
  Created made;
  create(made, preset(), parameters);
  CHECK(made.message == "");
}

TEST_CASE("the first parameter that does not fit is named") {
  ParameterMap parameters = sound();
  parameters.erase("_blocks.7._bn2.running_var");
  check_refused(preset(), parameters, ExitCode::incompatible, "_blocks.7._bn2.running_var (80) is missing");
  parameters = sound();
  parameters["_blocks.16._project_conv.weight"] = {{1}, {0}};
  check_refused(preset(), parameters, ExitCode::incompatible,
                "_blocks.16._project_conv.weight (1) is not one of this network's");
  parameters = sound();
  parameters["_blocks.0._depthwise_conv.weight"].shape = {32, 3, 1, 3};
  check_refused(preset(), parameters, ExitCode::incompatible,
                "_blocks.0._depthwise_conv.weight is 32x3x1x3, 32x1x3x3 was expected");
  parameters = sound();
  parameters["_bn1.bias"].values[3] = std::nanf("");
  check_refused(preset(), parameters, ExitCode::damaged, "_bn1.bias holds a NaN");
  parameters = sound();
  parameters["_bn1.running_var"].values[3] = -1;
  check_refused(preset(), parameters, ExitCode::damaged, "_bn1.running_var");
  check_refused(preset(), {}, ExitCode::incompatible, "_conv_stem.weight (32x3x3x3) is missing");
  Created made;
  create(made, preset(), sound(), "int64");
  CHECK_THAT(made.message, ContainsSubstring("_conv_stem.weight is of type int64"));
}

TEST_CASE("a preset that makes no sense is refused") {
  check_refused(preset("resnet-9000"), sound(), ExitCode::incompatible,
                "'resnet-9000' is not known; known are: clip-vit-b-16, clip-vit-b-32, ");
  check_refused(preset("efficientnet-lite0", 64, "none"), sound(), ExitCode::incompatible, "no pool 'none'");
  check_refused(preset("efficientnet-lite0", 5), sound(), ExitCode::damaged, "preprocessing.crop is 5");
  check_refused("{", sound(), ExitCode::damaged, "the preset cannot be used");
  check_refused("{}", sound(), ExitCode::damaged, "the preset cannot be used");
}

TEST_CASE("what is asked for by name and not here is refused, and 'auto' does with what is here") {
  Created any;
  create(any, preset(), sound(), "float32", {.precision = "auto", .device = "auto"});
  REQUIRE(any.message == "");
  cbir_net_info info{};
  api().describe(any.net, &info);
  CHECK(info.independent == (std::string(info.device) == "cpu" ? 1 : 0));
  Created cuda, bfloat16;
  create(cuda, preset(), sound(), "float32", {.device = "cuda"});
  create(bfloat16, preset(), sound(), "float32", {.precision = "bfloat16", .device = info.device});
  if (std::string(info.device) == "cuda") {
    CHECK(cuda.message == "");
  } else {
    CHECK(cuda.code == static_cast<int>(ExitCode::resource));
    CHECK_THAT(cuda.message, ContainsSubstring("there is no CUDA device"));
  }
  if (std::string(info.precision) == "bfloat16") {
    CHECK(bfloat16.message == "");
  } else {
    CHECK(bfloat16.code == static_cast<int>(ExitCode::resource));
    CHECK_THAT(bfloat16.message, ContainsSubstring("there is no bfloat16 arithmetic here"));
  }
  Created strange;
  create(strange, preset(), sound(), "float32", {.precision = "float8"});
  CHECK(strange.code == static_cast<int>(ExitCode::usage));
  CHECK_THAT(strange.message, ContainsSubstring("precision 'float8' is not known"));
}

TEST_CASE("pictures of several sizes in one call are those of calls of their own") {
  Created made;
  create(made, preset("efficientnet-lite0", 64), sound());
  REQUIRE(made.code == 0);
  const auto pixels = pictures(6, 64);
  const std::vector<cbir_net_picture> mixed = {{pixels.data(), 64, 64},
                                               {pixels.data() + 64 * 64 * 3, 64, 64},
                                               {pixels.data() + 2 * 64 * 64 * 3, 48, 40},
                                               {pixels.data() + 3 * 64 * 64 * 3, 40, 48},
                                               {pixels.data() + 4 * 64 * 64 * 3, 40, 48}};
  std::vector<float> together(mixed.size() * 1280), alone(1280);
  REQUIRE(api().encode(made.net, mixed.data(), mixed.size(), together.data(), nullptr, 0) == 0);
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    REQUIRE(api().encode(made.net, &mixed[i], 1, alone.data(), nullptr, 0) == 0);
    CHECK(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(i * 1280)));
  }
}

TEST_CASE("a message is cut to the room there is") {
  std::array<char, 8> message{};
  cbir_net* net = nullptr;
  const cbir_net_source source = source_of("{", {});
  CHECK(api().create(&source, &net, message.data(), message.size()) == static_cast<int>(ExitCode::damaged));
  CHECK(std::string(message.data()) == "the pre");
}
