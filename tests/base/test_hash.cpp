#include <cbir/base/hash.hpp>

#include <tests/catch.hpp>

TEST_CASE("SHA-256 gives the digests of FIPS 180-4") {
  CHECK(cbir::sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(cbir::sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("XXH3 of pieces is the XXH3 of the whole") {
  const std::string text(100'000, 'x');
  cbir::Xxh3Hasher hasher;
  hasher.update(cbir::as_bytes(std::string_view(text).substr(0, 77)));
  hasher.update(cbir::as_bytes(std::string_view(text).substr(77)));
  CHECK(hasher.digest() == cbir::xxh3(cbir::as_bytes(text)));
  CHECK(cbir::hex(cbir::xxh3({})) == "99aa06d3014798d86001c324468d497f");  // the specification's value for no input
}
