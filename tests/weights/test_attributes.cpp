#include <cbir/base/error.hpp>
#include <cbir/weights/attributes.hpp>
#include <tests/catch.hpp>
#include <tests/weights/checkpoint.hpp>

using namespace cbir;
using namespace pickled;

namespace {

/// A module of some class with these attributes beside its parameters, as torch.save pickles it.
std::string module(const std::string& attributes) {
  return global("my.nets", "Net") + ")\x81" +
         dict(text("_parameters") + dict(text("w") + tensor(storage("a", 3), 0, {3}, {1})) + text("_buffers") +
              dict("") + text("_modules") + dict("") + attributes) +
         "b";
}

std::string read(const std::string& object) {
  const std::string data = file(object, {{8, 16, 32}});
  return read_attributes(bytes(data), "x.pt");
}

}  // namespace

TEST_CASE("what a pickled module says of itself is JSON") {
  CHECK(read(module(text("nc") + number(2) + text("names") + "](" + text("cat") + text("dog") + "e")) ==
        R"({"names":["cat","dog"],"nc":2})");
  CHECK(read(module(text("names") + dict(number(0) + text("cat") + number(1) + text("d\"g")))) ==
        R"({"names":{"0":"cat","1":"d\"g"}})");
  CHECK(read(module(text("stride") + tensor(storage("a", 3), 0, {3}, {1}) + text("on") + "\x88" + text("none") +
                    "N")) == R"({"none":null,"on":true,"stride":[8.0,16.0,32.0]})");
}

TEST_CASE("what is no data, or nobody's business, is left out") {
  CHECK(read(module(text("_hidden") + number(1) + text("f") + global("os", "system") + text("x") + number(1))) ==
        R"({"x":1})");
  CHECK(read(module(text("call") + global("os", "system") + tuple(text("ls")) + "R" + text("x") + number(1))) ==
        R"({"x":1})");
  CHECK(read(module(text("list") + "](" + global("os", "system") + "e")) == "{}");
}

TEST_CASE("of a checkpoint the model's attributes are read, and a bare state_dict has none") {
  CHECK(read(dict(text("epoch") + number(3) + text("model") + module(text("nc") + number(7)))) == R"({"nc":7})");
  CHECK(read(dict(text("w") + tensor(storage("a", 3), 0, {3}, {1}))) == "{}");
  CHECK(read_attributes(as_bytes("no checkpoint"), "x") == "{}");
}

TEST_CASE("attributes that are nested, shared or long without end are refused") {
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "](";
  deep += number(1);
  for (int i = 0; i < 40; ++i) deep += "e";
  CHECK_THROWS_AS(read(module(text("deep") + deep)), ResourceLimit);

  // Each list holds the one before twice: 2^14 visits of 15 values, times eight.
  std::string shared = "](" + number(1) + number(2) + "eq" + std::string(1, '\0');
  for (char i = 0; i < 14; ++i)
    shared = "](" + shared + std::string("h") + std::string(1, i) + "eq" + std::string(1, static_cast<char>(i + 1));
  std::string all;
  for (int i = 0; i < 8; ++i) all += std::string("h") + std::string(1, 14);
  CHECK_THROWS_AS(read(module(text("shared") + "](" + shared + all + "e")), ResourceLimit);
}
