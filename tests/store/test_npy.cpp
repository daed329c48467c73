#include <cbir/store/npy.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/half.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;
using namespace std::string_literals;

namespace {

/// A .npy file of version `major` with this literal as its header.
std::string npy(const std::string& literal, const std::string& data, int major = 1) {
  const std::string text = literal + "\n";
  std::string file = "\x93NUMPY"s + static_cast<char>(major) + '\0';
  for (std::size_t i = 0; i < (major == 1 ? 2 : 4); ++i) file += static_cast<char>(text.size() >> (8 * i) & 0xff);
  return file + text + data;
}

std::string dict(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

std::string bytes_of(const std::vector<float>& values, Dtype dtype = Dtype::float32) {
  std::vector<std::byte> out;
  append_items(out, values, dtype);
  return std::string(as_text(out));
}

struct OnDisk {
  std::string write(const std::string& content) const {
    write_file(path, content, true);
    return path;
  }
  TemporaryFolder folder;
  std::string path = folder / "x.npy";
};

std::string message_of(const std::string& path) {
  try {
    NpyMatrix matrix(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the header is the one that NumPy writes") {
  const std::string header = npy_header(Dtype::float32, 3, 4);
  CHECK(header.size() == 128);
  CHECK(header.substr(0, 10) == "\x93NUMPY\x01\x00\x76\x00"s);
  CHECK(header.substr(10, 58) == "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), ");
  CHECK(header.back() == '\n');
  const NpyHeader parsed = parse_npy_header(as_bytes(header), "x");
  CHECK(parsed.descr == "<f4");
  CHECK_FALSE(parsed.fortran_order);
  CHECK(parsed.shape == std::vector<std::uint64_t>{3, 4});
  CHECK(parsed.data_offset == 128);
  CHECK(npy_header(Dtype::float16, UINT64_MAX, 1280).size() == header.size());  // may be rewritten in place
  CHECK(npy_header(Dtype::float16, 1, 1, 1).size() == 128);
  CHECK(npy_header(Dtype::float16, 1, 1, 200).size() == 256);
}

TEST_CASE("a matrix comes back in both types and all versions") {
  const OnDisk disk;
  const std::vector<float> values = {1, -2.5F, 0, 65504, 0.25F, -0.125F};
  for (const Dtype dtype : {Dtype::float32, Dtype::float16})
    for (const int version : {1, 2, 3}) {
      const std::string descr = dtype == Dtype::float32 ? "<f4" : "<f2";
      const NpyMatrix matrix(disk.write(npy(dict(descr, "(2, 3)"), bytes_of(values, dtype), version)));
      CHECK(matrix.rows() == 2);
      CHECK(matrix.cols() == 3);
      CHECK(matrix.dtype() == dtype);
      std::vector<float> read(6);
      matrix.read(0, 2, read.data());
      CHECK(read == values);
      std::vector<float> apart(4, 7);
      matrix.read(1, 1, apart.data(), 4);
      CHECK(apart == std::vector<float>{65504, 0.25F, -0.125F, 7});
      CHECK_THROWS_AS(matrix.read(1, 2, read.data()), Error);
    }
  CHECK(NpyMatrix(disk.write(npy(dict("<f4", "(0, 5)"), ""))).rows() == 0);
  CHECK(NpyMatrix(disk.write(npy(dict("<f4", "(1, 2)", "True"), bytes_of({1, 2})))).cols() ==
        2);  // both orders at once
}

TEST_CASE("other arrays are refused, with what was found and what was expected") {
  const OnDisk disk;
  const auto refused = [&](const std::string& header, std::size_t data) {
    return message_of(disk.write(npy(header, std::string(data, '\0'))));
  };
  CHECK_THROWS_AS(NpyMatrix(disk.write(npy(dict("<f8", "(2, 2)"), std::string(32, '\0')))), Incompatible);
  CHECK_THAT(refused(dict("<f8", "(2, 2)"), 32), ContainsSubstring("found numbers of type '<f8', expected float32"));
  CHECK_THAT(refused(dict(">f4", "(2, 2)"), 16), ContainsSubstring("big-endian"));
  CHECK_THAT(refused(dict("<f4", "(2, 2)", "True"), 16), ContainsSubstring("found Fortran order, expected C order"));
  CHECK_THAT(refused(dict("<f4", "(2, 2, 1)"), 16), ContainsSubstring("shape (2, 2, 1), expected two dimensions"));
  CHECK_THAT(refused(dict("<f4", "(4,)"), 16), ContainsSubstring("shape (4,)"));
  CHECK_THAT(refused(dict("<f4", "()"), 4), ContainsSubstring("shape ()"));
  CHECK_THAT(refused(dict("<f4", "(4, 0)"), 0), ContainsSubstring("shape (4, 0)"));
  CHECK_THAT(refused("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2)}", 16),
             ContainsSubstring("structured"));
  CHECK_THROWS_AS(NpyMatrix(disk.write(npy(dict("|O", "(2, 2)"), "\x80\x04."))), DamagedFile);
}

TEST_CASE("a damaged header is an error, never a guess") {
  const OnDisk disk;
  const std::string data(16, '\0');
  for (const std::string& literal :
       {""s, "{"s, "{}"s, dict("<f4", "(2, 2"), dict("<f4", "(2 2)"), dict("<f4", "(-2, 2)"), dict("<f4", "(2.0, 2)"),
        dict("<f4", "(4)"), dict("<f4", "(18446744073709551616, 2)"), dict("<f4", "(2, 2)", "0"),
        dict("<f4", "(2, 2)") + "x", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'shape': (2, 2)}"s,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'more': 1}"s, "{'descr': '<f4', 'shape': (2, 2)}"s,
        "{'descr': '<f4\\n', 'fortran_order': False, 'shape': (2, 2)}"s, "__import__('os')"s}) {
    INFO(literal);
    CHECK_THROWS_AS(NpyMatrix(disk.write(npy(literal, data))), DamagedFile);
  }
  CHECK_THROWS_AS(NpyMatrix(disk.write(npy(dict("<f4", "(2, 2)"), data, 4))), DamagedFile);
  CHECK_THROWS_AS(NpyMatrix(disk.write("PK\x03\x04")), DamagedFile);
  CHECK_THROWS_AS(NpyMatrix(disk.write("")), DamagedFile);
}

TEST_CASE("the length must be the one that the header announces") {
  const OnDisk disk;
  const std::string whole = npy(dict("<f4", "(2, 2)"), bytes_of({1, 2, 3, 4}));
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_THROWS_AS(NpyMatrix(disk.write(whole.substr(0, length))), DamagedFile);
  CHECK_THROWS_AS(NpyMatrix(disk.write(whole + "x")), DamagedFile);
  // Products that overflow 64 bits to what is there, or to nothing.
  for (const std::string shape : {"(4611686018427387905, 4)", "(4294967296, 4294967296)", "(9223372036854775808, 2)",
                                  "(0, 18446744073709551615)"})
    CHECK_THROWS_AS(NpyMatrix(disk.write(npy(dict("<f4", shape), bytes_of({1, 2, 3, 4})))), DamagedFile);
}

TEST_CASE("any flipped bit of a small matrix is read or refused, within bounds") {
  const OnDisk disk;
  const std::string whole = npy_header(Dtype::float32, 2, 2) + bytes_of({1, 2, 3, 4});
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    disk.write(flipped);
    try {
      const NpyMatrix matrix(disk.path);
      std::vector<float> values(matrix.rows() * matrix.cols());
      matrix.read(0, matrix.rows(), values.data());
      CHECK(values.size() * item_size(matrix.dtype()) == 16);
    } catch (const Error& error) {
      CHECK((error.code() == ExitCode::damaged || error.code() == ExitCode::incompatible));
    }
  }
}

TEST_CASE("a NaN or an infinity is named by its row") {
  const OnDisk disk;
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const Dtype dtype : {Dtype::float32, Dtype::float16}) {
      const NpyMatrix matrix(disk.write(npy_header(dtype, 3, 2) + bytes_of({1, 2, 3, bad, 5, 6}, dtype)));
      std::vector<float> out(6);
      CHECK_THROWS_WITH(matrix.read(0, 3, out.data()), EndsWith("row 1 holds a NaN or an infinity"));
      CHECK_NOTHROW(matrix.read(2, 1, out.data()));
    }
}

TEST_CASE("float16 rounds to nearest, ties to even, and every one of its values comes back") {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      CHECK((half & 0x7fff) > 0x7c00);
      CHECK((float_to_half(value) & 0x7fff) > 0x7c00);
    } else if (float_to_half(value) != half) {
      FAIL("0x" << std::hex << bits << " does not come back");
    }
  }
  CHECK(half_to_float(0x3c00) == 1);
  CHECK(half_to_float(0x0001) == std::ldexp(1.0F, -24));
  CHECK(half_to_float(0x03ff) == std::ldexp(1023.0F, -24));
  CHECK(half_to_float(0x7bff) == 65504);
  CHECK(std::signbit(half_to_float(0x8000)));
  for (std::uint16_t half = 0; half < 0x7bff; ++half) {  // between each pair of neighbours
    const float low = half_to_float(half), high = half_to_float(static_cast<std::uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;
    const auto even = static_cast<std::uint16_t>(half + (half & 1));
    if (float_to_half(middle) != even || float_to_half(std::nextafter(middle, 0.0F)) != half ||
        float_to_half(std::nextafter(middle, 1e9F)) != half + 1)
      FAIL("around " << middle);
  }
}

TEST_CASE("what float16 cannot hold is refused") {
  std::vector<std::byte> out;
  CHECK_NOTHROW(append_items(out, std::vector<float>{65519}, Dtype::float16));
  CHECK_THROWS_AS(append_items(out, std::vector<float>{65520}, Dtype::float16), ResourceLimit);
  CHECK_THROWS_AS(append_items(out, std::vector<float>{-1e30F}, Dtype::float16), ResourceLimit);
}

TEST_CASE("strings and whole numbers are labels") {
  const OnDisk disk;
  const auto utf32 = [](const std::u32string& text) {
    return std::string(reinterpret_cast<const char*>(text.data()), text.size() * 4);
  };
  using Strings = std::vector<std::string>;
  using namespace std::literals;
  CHECK(read_npy_strings(disk.write(npy(dict("<U3", "(3,)"), utf32(U"catö\0\0図😀x"s)))) == Strings{"cat", "ö", "図😀x"});
  CHECK(read_npy_strings(disk.write(npy(dict("|S3", "(2,)"), "cat\xff\0\0"s))) == Strings{"cat", "\xff"});
  CHECK(read_npy_strings(disk.write(npy(dict("<i8", "(2,)"), "\x2a\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"s))) ==
        Strings{"42", "-1"});
  CHECK(read_npy_strings(disk.write(npy(dict("|u1", "(2,)"), "\x00\xff"s))) == Strings{"0", "255"});
  CHECK(read_npy_strings(disk.write(npy(dict("<U5", "(0,)"), ""))).empty());
}

TEST_CASE("labels of other kinds are refused") {
  const OnDisk disk;
  const auto read = [&](const std::string& header, const std::string& data) {
    return read_npy_strings(disk.write(npy(header, data)));
  };
  CHECK_THROWS_AS(read(dict("|O", "(1,)"), "\x80\x04\x95."), DamagedFile);
  CHECK_THROWS_WITH(read(dict("|O", "(1,)"), "\x80\x04\x95."), ContainsSubstring("pickled objects"));
  CHECK_THROWS_AS(read(dict("<U1", "(1, 1)"), "a\0\0\0"s), Incompatible);
  CHECK_THROWS_AS(read(dict(">U1", "(1,)"), "\0\0\0a"s), Incompatible);
  CHECK_THROWS_AS(read(dict("<f4", "(1,)"), "\0\0\0\0"s), Incompatible);
  CHECK_THROWS_AS(read(dict("<U0", "(1000000000000,)"), ""), Incompatible);
  CHECK_THROWS_AS(read(dict("<U1", "(2,)"), "a\0\0\0"s), DamagedFile);
  CHECK_THROWS_AS(read(dict("<U1", "(1,)"), "\0\xd8\0\0"s), DamagedFile);  // a surrogate
  CHECK_THROWS_AS(read(dict("<U1", "(1,)"), "\0\0\x11\0"s), DamagedFile);  // beyond U+10FFFF
  CHECK_THROWS_AS(read(dict("<U4611686018427387904", "(1,)"), ""), Incompatible);
}
