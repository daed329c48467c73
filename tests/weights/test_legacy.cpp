#include <algorithm>
#include <cstring>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/weights/tensors.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>
#include <tests/weights/checkpoint.hpp>

using namespace cbir;
using namespace pickled;

namespace {

TensorMap read(const std::string& data) { return read_tensors(bytes(data), "x.pth"); }

std::vector<float> values(const Tensor& tensor) {
  std::vector<float> out(tensor.data.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
  return out;
}

/// Two tensors that share one storage, the second transposed; and one of another storage.
std::string sample() {
  const std::string a = storage("a", 6);
  return file(dict(text("w") + tensor(a, 0, {2, 3}, {3, 1}) + text("t") + tensor(a, 0, {3, 2}, {1, 3}) + text("b") +
                   tensor(storage("b", 2), 1, {1}, {1})),
              {{1, 2, 3, 4, 5, 6}, {7, 8}});
}

}  // namespace

TEST_CASE("a checkpoint's tensors come out by name, dense") {
  const std::string data = sample();
  const TensorMap tensors = read(data);
  REQUIRE(tensors.size() == 3);
  CHECK(tensors.at("w").shape == std::vector<std::int64_t>{2, 3});
  CHECK(tensors.at("w").type == TensorType::float32);
  CHECK(tensors.at("w").elements() == 6);
  CHECK(values(tensors.at("w")) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(values(tensors.at("t")) == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(values(tensors.at("b")) == std::vector<float>{8});
}

TEST_CASE("a dense tensor lies in the file's mapping, which lives as long as the tensor") {
  const TemporaryFolder folder;
  write_file(folder / "x.pth", sample(), false);
  Tensor kept;
  {
    TensorMap tensors = read_tensors(folder / "x.pth");
    kept = tensors.at("w");
  }
  CHECK(values(kept) == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK_THROWS_AS(read_tensors(folder / "missing.pth"), MissingInput);
}

TEST_CASE("a state_dict inside a training checkpoint is found, nested names are joined") {
  const std::string w = tensor(storage("a", 1), 0, {}, {});
  const std::string inner = dict(text("layer") + dict(text("weight") + w));
  for (const std::string key : {"state_dict", "model"}) {
    const std::string data = file(dict(text("epoch") + number(3) + text(key) + inner), {{1}});
    const TensorMap tensors = read(data);
    REQUIRE(tensors.size() == 1);
    CHECK(tensors.begin()->first == "layer.weight");
    CHECK(tensors.begin()->second.shape.empty());
  }
}

TEST_CASE("a parameter is its tensor") {
  const std::string parameter =
      global("torch._utils", "_rebuild_parameter") + tuple(tensor(storage("a", 1), 0, {1}, {1}) + "\x88N") + "R";
  const std::string data = file(dict(text("p") + parameter), {{5}});
  CHECK(values(read(data).at("p")) == std::vector<float>{5});
}

TEST_CASE("a tensor must lie within its storage") {
  const auto one = [](std::int32_t offset, std::vector<std::int32_t> shape, std::vector<std::int32_t> stride) {
    return file(dict(text("w") + tensor(storage("a", 6), offset, shape, stride)), {{1, 2, 3, 4, 5, 6}});
  };
  CHECK_NOTHROW(read(one(4, {2}, {1})));
  CHECK_THROWS_WITH(read(one(5, {2}, {1})),
                    ContainsSubstring("'w'") && ContainsSubstring("element 6 of a storage of 6"));
  CHECK_THROWS_AS(read(one(0, {2, 2}, {5, 1})), DamagedFile);
  CHECK_THROWS_AS(read(one(-1, {1}, {1})), DamagedFile);
  CHECK_THROWS_AS(read(one(0, {-1}, {1})), DamagedFile);
  CHECK_THROWS_AS(read(one(0, {2}, {-1})), DamagedFile);
  CHECK_THROWS_AS(read(one(0, {2, 2}, {1})), DamagedFile);
  CHECK_THROWS_AS(read(one(0, {0x7fffffff, 0x7fffffff, 0x7fffffff}, {0, 0, 0})), DamagedFile);
  CHECK_THROWS_AS(read(one(0, {0x7fffffff, 0x7fffffff, 0x7fffffff, 0}, {1, 1, 1, 1})), DamagedFile);
  const std::string empty = one(0, {0}, {1});
  CHECK(read(empty).at("w").data.empty());
}

TEST_CASE("an expansion of one number to gigabytes is refused") {
  const std::string data = file(dict(text("w") + tensor(storage("a", 1), 0, {30000, 30000}, {0, 0})), {{1}});
  CHECK_THROWS_AS(read(data), ResourceLimit);
  const std::string small = file(dict(text("w") + tensor(storage("a", 1), 0, {2, 2}, {0, 0})), {{1}});
  CHECK(values(read(small).at("w")) == std::vector<float>{1, 1, 1, 1});
}

TEST_CASE("dicts nested 2^n times over are refused") {
  std::string body = "}q\x00"s + text("w") + tensor(storage("a", 1), 0, {1}, {1}) + "s";
  for (char i = 1; i < 60; ++i)  // each holds the one before twice
    body = body + "q" + std::string(1, i) + "0}(" + text("l") + "h" + std::string(1, i) + text("r") + "h" +
           std::string(1, i) + "u";
  CHECK_THROWS_AS(read(file(body, {{1}})), ResourceLimit);
}

TEST_CASE("names that stand twice are damage") {
  const std::string w = text("w") + tensor(storage("a", 1), 0, {1}, {1});
  CHECK_THROWS_WITH(read(file(dict(w + w), {{1}})), ContainsSubstring("two tensors are named 'w'"));
  CHECK_THROWS_AS(read(head() + dump(dict(w)) + dump("](" + text("a") + text("a") + "e") + floats({1}) + floats({1})),
                  DamagedFile);
}

TEST_CASE("storages must agree with what the tensors say of them") {
  const std::string w = dict(text("w") + tensor(storage("a", 2), 0, {2}, {1}));
  CHECK_THROWS_WITH(read(file(w, {{1, 2, 3}})), ContainsSubstring("3 elements, 2 were announced"));
  CHECK_THROWS_AS(read(file(w, {})), DamagedFile);
  CHECK_THROWS_AS(read(file(w, {{1, 2}, {1}})), DamagedFile);
  CHECK_THROWS_WITH(read(file(w, {{1, 2}}) + "x"), ContainsSubstring("1 bytes follow"));
  const std::string two = dict(text("v") + tensor(storage("a", 2), 0, {2}, {1}) + text("w") +
                               tensor(storage("a", 2, "IntStorage"), 0, {2}, {1}));
  CHECK_THROWS_AS(read(file(two, {{1, 2}})), DamagedFile);
}

TEST_CASE("a storage's key is short") {
  const std::string key(257, 'a');
  CHECK_THROWS_AS(read(head() + dump(dict(text("w") + tensor(storage(key, 1), 0, {1}, {1}))) +
                       dump("](" + text(key) + "e") + floats({1})),
                  DamagedFile);
}

TEST_CASE("other kinds of file are named, with what to do") {
  CHECK_THROWS_WITH(read("GIF89a"), ContainsSubstring("not a checkpoint") && ContainsSubstring(".safetensors"));
  CHECK_THROWS_WITH(read("\x89HDF\r\n\x1a\n"), ContainsSubstring("HDF5"));
  CHECK_THROWS_WITH(read("<!DOCTYPE html>"), ContainsSubstring("web page"));
  CHECK_THROWS_WITH(read("version https://git-lfs.github.com/spec/v1\n"), ContainsSubstring("git lfs pull"));
  CHECK_THROWS_WITH(read(file(global("posix", "system") + text("id") + "\x85R", {})),
                    ContainsSubstring("posix.system"));
  CHECK_THROWS_WITH(read(""), ContainsSubstring("empty"));
  CHECK_THROWS_AS(read(file(dict(text("epoch") + number(1)), {})), Incompatible);
  CHECK_THROWS_AS(read(file("K\x01", {})), Incompatible);
  CHECK_THROWS_AS(read(magic() + dump(number(1001)) + dump(dict(text("little_endian") + "\x89")) + dump("N")),
                  Incompatible);
  CHECK_THROWS_AS(read(magic() + dump(number(1000))), DamagedFile);
}

TEST_CASE("a file that ends early is damaged, wherever it ends") {
  const std::string whole = sample();
  REQUIRE_NOTHROW(read(whole));
  const std::size_t recognised = magic().size() - 1;  // without its STOP
  for (std::size_t length = recognised; length < whole.size(); ++length) {
    const std::string part = whole.substr(0, length);
    CAPTURE(length);
    CHECK_THROWS_AS(read(part), DamagedFile);
  }
  for (std::size_t length = 0; length < recognised; ++length)
    CHECK_THROWS_AS(read(whole.substr(0, length)), Incompatible);
}

TEST_CASE("any flipped bit gives an error or tensors, never more") {
  const std::string whole = sample();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const std::vector<std::byte> exact(
        reinterpret_cast<const std::byte*>(flipped.data()),
        reinterpret_cast<const std::byte*>(flipped.data()) + flipped.size());  // so that ASan sees the end
    try {
      std::size_t total = 0;
      for (const auto& [name, tensor] : read_tensors(Bytes(exact), "x.pth")) {
        REQUIRE(static_cast<std::size_t>(tensor.elements()) * item_size(tensor.type) == tensor.data.size());
        for (const std::byte b : tensor.data) total += std::to_integer<std::size_t>(b);  // touches every byte
      }
      CHECK(total < 255 * whole.size() * 2);
    } catch (const Error& error) {
      CHECK((error.code() == ExitCode::damaged || error.code() == ExitCode::incompatible ||
             error.code() == ExitCode::resource));
    }
  }
}
