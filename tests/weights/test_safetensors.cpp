#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/weights/tensors.hpp>
#include <tests/catch.hpp>
#include <tests/weights/checkpoint.hpp>

using namespace cbir;
using pickled::bytes;
using pickled::le;

namespace {

std::string file(const std::string& header, const std::string& numbers) {
  return le(static_cast<std::uint64_t>(header.size())) + header + numbers;
}

TensorMap read(const std::string& data) { return read_tensors(bytes(data), "x.safetensors"); }

/// A file of one tensor 'w' with these fields and eight bytes of numbers.
TensorMap read_one(const std::string& fields) { return read(file("{\"w\":{" + fields + "}}", "12345678")); }

std::string fields(const std::string& type, const std::string& shape, const std::string& offsets) {
  return "\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets;
}

}  // namespace

TEST_CASE("safetensors: tensors lie in the file, whatever their order and names") {
  const std::string data =
      file("{\"__metadata__\":{\"format\":\"pt\"},\"b.bias\":{" + fields("F16", "[2]", "[8,12]") + "},\"a/x y\":{" +
               fields("F32", "[1,2]", "[0,8]") + "},\"empty\":{" + fields("I64", "[0,3]", "[8,8]") + "},\"scalar\":{" +
               fields("BF16", "[]", "[12,14]") + "}}   ",
           "aaaabbbbccddee");
  const TensorMap tensors = read(data);
  REQUIRE(tensors.size() == 4);
  CHECK(as_text(tensors.at("a/x y").data) == "aaaabbbb");
  CHECK(tensors.at("a/x y").shape == std::vector<std::int64_t>{1, 2});
  CHECK(tensors.at("b.bias").type == TensorType::float16);
  CHECK(tensors.at("empty").data.empty());
  CHECK(tensors.at("scalar").shape.empty());
  CHECK(as_text(tensors.at("scalar").data) == "ee");
  CHECK(tensors.at("scalar").data.data() + 2 == bytes(data).data() + data.size());
}

TEST_CASE("safetensors: every type of number") {
  const std::vector<std::pair<std::string, TensorType>> types = {
      {"F64", TensorType::float64},   {"F32", TensorType::float32}, {"F16", TensorType::float16},
      {"BF16", TensorType::bfloat16}, {"I64", TensorType::int64},   {"I32", TensorType::int32},
      {"I16", TensorType::int16},     {"I8", TensorType::int8},     {"U8", TensorType::uint8},
      {"BOOL", TensorType::boolean}};
  for (const auto& [name, type] : types)
    CHECK(read_one(fields(name, "[" + std::to_string(8 / item_size(type)) + "]", "[0,8]")).at("w").type == type);
  CHECK_THROWS_WITH(read_one(fields("F8_E4M3", "[8]", "[0,8]")), ContainsSubstring("F8_E4M3"));
  CHECK_THROWS_AS(read_one(fields("F8_E4M3", "[8]", "[0,8]")), Incompatible);
}

TEST_CASE("safetensors: offsets cover the numbers without hole or overlap") {
  CHECK_NOTHROW(read_one(fields("F32", "[2]", "[0,8]")));
  CHECK_THROWS_WITH(read_one(fields("F32", "[1]", "[0,4]")), ContainsSubstring("hole at byte 4"));
  CHECK_THROWS_WITH(read_one(fields("F32", "[1]", "[4,8]")), ContainsSubstring("hole at byte 0"));
  CHECK_THROWS_AS(read_one(fields("F32", "[3]", "[0,12]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[2]", "[8,0]")), DamagedFile);
  CHECK_THROWS_WITH(read_one(fields("F32", "[3]", "[0,8]")), ContainsSubstring("need 12"));
  const std::string both =
      "{\"v\":{" + fields("U8", "[5]", "[0,5]") + "},\"w\":{" + fields("U8", "[4]", "[4,8]") + "}}";
  CHECK_THROWS_WITH(read(file(both, "12345678")), ContainsSubstring("overlap at byte 4"));
}

TEST_CASE("safetensors: shapes too large to be true") {
  CHECK_THROWS_AS(read_one(fields("F32", "[4294967296,4294967296]", "[0,8]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[4294967296,4294967296,0]", "[0,0]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[18446744073709551615]", "[0,8]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[-2]", "[0,8]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[2.0]", "[0,8]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[[2]]", "[0,8]")), DamagedFile);
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  CHECK_THROWS_AS(read_one(fields("F64", "[" + ones + "]", "[0,8]")), DamagedFile);
}

TEST_CASE("safetensors: keys that stand twice, fields that are missing or unknown") {
  const std::string one = fields("F32", "[2]", "[0,8]");
  CHECK_THROWS_WITH(read(file("{\"w\":{" + one + "},\"w\":{" + one + "}}", "12345678")),
                    ContainsSubstring("two tensors are named 'w'"));
  CHECK_THROWS_WITH(read_one(one + ",\"dtype\":\"F32\""), ContainsSubstring("dtype twice"));
  CHECK_THROWS_WITH(read_one("\"dtype\":\"F32\",\"shape\":[2]"), ContainsSubstring("lacks"));
  CHECK_THROWS_AS(read_one(one + ",\"strides\":[1]"), DamagedFile);
  CHECK_THROWS_AS(read_one(one + ",\"x\":{}"), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[2]", "[0]")), DamagedFile);
  CHECK_THROWS_AS(read_one(fields("F32", "[2]", "[0,4,8]")), DamagedFile);
  CHECK_THROWS_AS(read(file("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"},\"w\":{" + one + "}}", "12345678")),
                  DamagedFile);
  CHECK_THROWS_AS(read(file("{\"__metadata__\":{\"a\":1},\"w\":{" + one + "}}", "12345678")), DamagedFile);
  CHECK_THROWS_AS(read(file("{\"w\\u0000\":{" + one + "}}", "12345678")), DamagedFile);
  CHECK_THROWS_AS(read(file("{\"w\":5}", "")), DamagedFile);
  CHECK_THROWS_AS(read(file("{}", "")), Incompatible);
}

TEST_CASE("safetensors: headers that end early, nest without end or are no JSON") {
  const std::string whole = file("{\"w\":{" + fields("F32", "[2]", "[0,8]") + "}}", "12345678");
  for (std::size_t length = 9; length < whole.size(); ++length)
    CHECK_THROWS_AS(read(whole.substr(0, length)), DamagedFile);
  CHECK_THROWS_AS(read(whole + "x"), DamagedFile);
  CHECK_THROWS_WITH(read(le(std::uint64_t{100'000'001}) + "{"), ContainsSubstring("limit"));
  CHECK_THROWS_WITH(read(file("{\"w\":}", "")), ContainsSubstring("no JSON at byte"));
  std::string nested;
  for (int i = 0; i < 1'000'000; ++i) nested += "{\"a\":";
  CHECK_THROWS_AS(read(file(nested, "")), DamagedFile);
  CHECK_THROWS_AS(read(file("{\"w\":" + std::string(1'000'000, '['), "")), DamagedFile);
  CHECK_THROWS_AS(read(file("{\"\xff\":{}}", "")), DamagedFile);
}
