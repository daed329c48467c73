#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/weights/tensors.hpp>
#include <tests/catch.hpp>
#include <tests/weights/checkpoint.hpp>
#include <tests/weights/zip_builder.hpp>

using namespace cbir;
using namespace pickled;
using zipped::archive;
using zipped::Entry;

namespace {

TensorMap read(const std::string& data) { return read_tensors(bytes(data), "x.pt"); }

std::string raw(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> out(tensor.data.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

std::string one_tensor() { return dump(dict(text("w") + tensor(storage("0", 3), 0, {3}, {1}))); }

std::vector<Entry> checkpoint() {
  return {{"net/data.pkl", one_tensor()}, {"net/byteorder", "little"}, {"net/data/0", raw({1, 2, 3})}};
}

/// An object of class module.name with these attributes.
std::string object(const std::string& module, const std::string& name, const std::string& attributes) {
  return global(module, name) + ")\x81" + dict(attributes) + "b";
}

std::string module(const std::string& parameters, const std::string& buffers, const std::string& modules,
                   const std::string& skipped = "") {
  return object("my.nets", "Net",
                text("_parameters") + dict(parameters) + text("_buffers") + dict(buffers) + text("_modules") +
                    dict(modules) + text("_non_persistent_buffers_set") + global("__builtin__", "set") + "](" +
                    skipped + "e\x85R");
}

}  // namespace

TEST_CASE("a zip checkpoint's tensors lie in the file, aligned") {
  const std::string file = archive(checkpoint());
  const TensorMap tensors = read(file);
  REQUIRE(tensors.size() == 1);
  CHECK(values(tensors.at("w")) == std::vector<float>{1, 2, 3});
  const auto place = tensors.at("w").data.data() - bytes(file).data();
  CHECK(place % 64 == 0);
  CHECK(static_cast<std::size_t>(place) < file.size());
}

TEST_CASE("zip64 and deflated entries are read too") {
  CHECK(values(read(archive(checkpoint(), true)).at("w")) == std::vector<float>{1, 2, 3});
  const std::string file =
      archive({zipped::deflated("a/data.pkl", one_tensor()), zipped::deflated("a/data/0", raw({4, 5, 6}))});
  CHECK(values(read(file).at("w")) == std::vector<float>{4, 5, 6});
}

TEST_CASE("an entry that unpacks to more than a checkpoint needs is refused before it is unpacked") {
  const std::string zeros(64 << 20, '\0');
  const std::string file = archive({{"a/data.pkl", one_tensor()}, zipped::deflated("a/data/0", zeros)});
  REQUIRE(file.size() < 200'000);
  CHECK_THROWS_AS(read(file), ResourceLimit);

  Entry lying = zipped::deflated("a/data/0", raw({1, 2, 3, 4}));
  lying.size = 12;  // unpacks to more than it says
  CHECK_THROWS_AS(read(archive({{"a/data.pkl", one_tensor()}, lying})), DamagedFile);
  lying.size = 20;  // to less
  CHECK_THROWS_AS(read(archive({{"a/data.pkl", one_tensor()}, lying})), DamagedFile);
}

TEST_CASE("many deflated entries are bounded together") {
  std::string items;
  std::vector<Entry> entries;
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 8; ++i) {
    const std::string key = std::to_string(i);
    items += text("w" + key) + tensor(storage(key, 1 << 18), 0, {1 << 18}, {1});
    entries.push_back(zipped::deflated("a/data/" + key, zeros));
  }
  entries.push_back({"a/data.pkl", dump(dict(items))});
  CHECK_THROWS_AS(read(archive(entries)), ResourceLimit);
}

TEST_CASE("what a zip archive may not be") {
  const auto with = [](const Entry& entry) {
    std::vector<Entry> entries = checkpoint();
    entries.push_back(entry);
    return archive(entries);
  };
  CHECK_THROWS_WITH(read(with({"net/data/0", "again"})), ContainsSubstring("two entries are named net/data/0"));
  CHECK_THROWS_WITH(read(with({"other/data.pkl", "N."})), ContainsSubstring("two folders"));
  CHECK_THROWS_AS(read(archive({{"net/data.pkl", one_tensor()}})), DamagedFile);  // its storage is missing
  CHECK_THROWS_WITH(read(archive({{"net/data.pkl", one_tensor()}, {"net/data/0", raw({1, 2})}})),
                    ContainsSubstring("8 bytes, 3 elements of 4 bytes"));
  CHECK_THROWS_WITH(read(archive({{"net/data.pkl", one_tensor()}, {"net/byteorder", "big"}})),
                    ContainsSubstring("big-endian"));
  CHECK_THROWS_WITH(read(archive({{"net/data.pkl", one_tensor(), 12}})), ContainsSubstring("method 12"));
  Entry secret{"net/data.pkl", one_tensor()};
  secret.flags = 1;
  CHECK_THROWS_WITH(read(archive({secret})), ContainsSubstring("encrypted"));
  CHECK_THROWS_WITH(read(archive({{"word/document.xml", "<x/>"}})), ContainsSubstring("FOLDER/data.pkl"));
  CHECK_THROWS_WITH(read(archive({{"net/model.json", "{}"}})), ContainsSubstring("before PyTorch 1.4"));
}

TEST_CASE("entries may not lie over one another, or outside") {
  const std::string sound = archive(checkpoint());
  const std::size_t directory = sound.find("PK\x01\x02");
  const std::size_t second = sound.find("PK\x01\x02", directory + 1);
  const auto place = [&](std::uint32_t at) {
    std::string file = sound;
    file.replace(second + 42, 4, le(at));
    return file;
  };
  CHECK_THROWS_WITH(read(place(0)), ContainsSubstring("over another") || ContainsSubstring("no header"));
  CHECK_THROWS_AS(read(place(0x7fffffff)), DamagedFile);
  std::string longer = sound;
  longer.replace(directory + 20, 4, le<std::uint32_t>(200));  // reaches into the next
  longer.replace(directory + 24, 4, le<std::uint32_t>(200));
  CHECK_THROWS_AS(read(longer), DamagedFile);
}

TEST_CASE("a zip archive that ends early or has a flipped bit is damaged, or reads the same") {
  const std::string whole = archive(checkpoint());
  const TensorMap expected = read(whole);
  for (std::size_t length = 4; length < whole.size(); ++length)
    CHECK_THROWS_AS(read(whole.substr(0, length)), DamagedFile);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      const TensorMap tensors = read(flipped);
      CAPTURE(bit);
      REQUIRE(tensors.size() == 1);
      CHECK(values(tensors.begin()->second) == std::vector<float>{1, 2, 3});
    } catch (const Error& error) {
      CHECK((error.code() == ExitCode::damaged || error.code() == ExitCode::incompatible ||
             error.code() == ExitCode::resource));
    }
  }
}

TEST_CASE("a pickled module is its parameters and persistent buffers, whatever its class") {
  const std::string w = tensor(storage("0", 3), 0, {3}, {1});
  const std::string inner =
      module(text("weight") + w + text("bias") + "N", text("kept") + w + text("grid") + w, "", text("grid"));
  const std::string outer = module("", "", text("0") + inner);
  const auto names = [&](const std::string& value) {
    std::string out;
    for (const auto& [name, tensor] : read(archive({{"a/data.pkl", dump(value)}, {"a/data/0", raw({1, 2, 3})}})))
      out += name + " ";
    return out;
  };
  CHECK(names(outer) == "0.kept 0.weight ");
  CHECK(names(dict(text("model") + outer + text("ema") + "N")) == "0.kept 0.weight ");
  CHECK(names(dict(text("model") + outer + text("ema") + inner)) == "kept weight ");
  CHECK(names(module("", "", text("module") + outer)) == "0.kept 0.weight ");  // DataParallel
  CHECK(names(dict(text("model") + text("resnet50") + text("w") + w)) == "w ");
}

TEST_CASE("modules that hold themselves are refused") {
  const std::string body = global("my.nets", "Net") + ")\x81q\x01}(" + text("_parameters") + "}" + text("_modules") +
                           "}(" + text("me") + "h\x01uub";
  CHECK_THROWS_AS(read(archive({{"a/data.pkl", dump(body)}})), ResourceLimit);
}

TEST_CASE("long names that are shared do not add up to more than the file holds") {
  const std::string key = text(std::string(100'000, 'n'));
  std::string body = "}q\x01" + key + "q\x02" + tensor(storage("0", 3), 0, {3}, {1}) + "s";
  for (char i = 3; i < 40; ++i)  // each dict holds the one before under the same long name, and under a short one
    body = body + "q" + std::string(1, i) + "0}(h\x02h" + std::string(1, i) + text("r") + "h" + std::string(1, i) + "u";
  CHECK_THROWS_AS(read(archive({{"a/data.pkl", dump(body)}, {"a/data/0", raw({1, 2, 3})}})), ResourceLimit);
}

TEST_CASE("TorchScript: names come from attributes, the code tells tensors that count, and is never run") {
  const std::string w = tensor(storage("0", 3), 0, {3}, {1});
  const std::string inner = object("__torch__.nets", "Layer", text("weight") + w + text("plain") + w);
  const std::string outer =
      object("__torch__", "Net", text("size") + number(224) + text("layer") + inner + text("count") + w);
  std::vector<Entry> entries = {{"m/data.pkl", dump(outer)}, {"m/data/0", raw({1, 2, 3})}, {"m/constants.pkl", "N."}};
  const TensorMap unknown = read(archive(entries));  // without the code every tensor counts
  CHECK(unknown.size() == 3);
  entries.push_back(zipped::deflated("m/code/__torch__.py",
                                     "class Net(Module):\n  __parameters__ = []\n  __buffers__ = [\"count\", ]\n"));
  entries.push_back({"m/code/__torch__/nets.py",
                     "class Other(Module):\n  __parameters__ = [\"plain\", ]\n"
                     "class Layer(Module):\n  __parameters__ = [\"weight\", ]\n  __buffers__ = []\n"});
  const TensorMap tensors = read(archive(entries));
  REQUIRE(tensors.size() == 2);
  CHECK(tensors.contains("layer.weight"));
  CHECK(tensors.contains("count"));
}
