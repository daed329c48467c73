#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/rerank/whitening.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

#include "clusters.hpp"

using namespace cbir;

namespace {

/// Rows whose dimensions vary by very different amounts, and together.
Vectors stretched_rows(std::size_t rows, unsigned seed) {
  Vectors out = fixture::random_rows(rows, 12, seed);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto row = out.row(i);
    for (std::size_t c = 0; c < row.size(); ++c) row[c] = 1 + row[c] / static_cast<float>(1 + c * c);
    for (std::size_t c = 1; c < row.size(); ++c) row[c] += .5F * row[c - 1];
    prepare_vector(row, true);
  }
  return out;
}

/// Covariance of W (x - mean), before lengths are made 1.
std::vector<std::vector<double>> covariance(const Vectors& vectors, const Transform& transform) {
  const std::size_t dim = transform.output_dim();
  std::vector<std::vector<double>> sum(dim, std::vector<double>(dim));
  for (std::size_t i = 0; i < vectors.rows(); ++i) {
    std::vector<double> y(dim);
    for (std::size_t k = 0; k < dim; ++k)
      for (std::size_t c = 0; c < vectors.dim(); ++c)
        y[k] += static_cast<double>(transform.projection()->row(k)[c]) *
                (static_cast<double>(vectors.row(i)[c]) - static_cast<double>(transform.mean()[c]));
    for (std::size_t k = 0; k < dim; ++k)
      for (std::size_t l = 0; l < dim; ++l) sum[k][l] += y[k] * y[l] / static_cast<double>(vectors.rows());
  }
  return sum;
}

}  // namespace

TEST_CASE("without shrinkage, whitened vectors vary alike in every dimension, and each for itself") {
  const Vectors vectors = stretched_rows(3000, 1);  // blocks of the covariance, and part of one
  const Whitening whitening = learn_whitening(vectors, {.dim = 8, .shrinkage = 0});
  const auto found = covariance(vectors, whitening.transform);
  for (std::size_t k = 0; k < found.size(); ++k)
    for (std::size_t l = 0; l < found.size(); ++l) CHECK(found[k][l] == Approx(k == l ? 1 : 0).margin(2e-3));
  CHECK(whitening.rows == 3000);
  CHECK(whitening.kept > .9);
  CHECK(whitening.kept < 1);
}

TEST_CASE("with much shrinkage a whitening is a centring") {
  const Vectors vectors = stretched_rows(500, 2);
  const Whitening whitening = learn_whitening(vectors, {.shrinkage = 1e6});
  const Vectors whitened = whitening.transform.apply(vectors), centred = centering(vectors).apply(vectors);
  for (const std::size_t i : {0, 1, 499})
    CHECK(fixture::inner_product(whitened.row(i), whitened.row(7)) ==
          Approx(fixture::inner_product(centred.row(i), centred.row(7))).margin(1e-4));
}

TEST_CASE("W^T y scores rows as y scores transformed ones") {
  const Vectors vectors = stretched_rows(200, 3);
  const Transform transform = learn_whitening(vectors, {.dim = 5, .shrinkage = .1}).transform;
  std::vector<float> norms;
  const Vectors whitened = transform.apply(vectors, &norms);
  const std::vector<float> back = transform.back(whitened.row(0));
  for (std::size_t i = 0; i < 20; ++i) {
    std::vector<float> rest(vectors.dim());
    for (std::size_t c = 0; c < rest.size(); ++c) rest[c] = vectors.row(i)[c] - transform.mean()[c];
    CHECK(fixture::inner_product(back, rest) / static_cast<double>(norms[i]) ==
          Approx(fixture::inner_product(whitened.row(0), whitened.row(i))).margin(1e-5));
  }
}

TEST_CASE("fewer rows than dimensions give as many dimensions as rows but one") {
  CHECK(learn_whitening(stretched_rows(6, 4), {}).transform.output_dim() == 5);
  CHECK_THROWS_AS(learn_whitening(stretched_rows(6, 4), {.dim = 6}), UsageError);
  CHECK_THROWS_AS(learn_whitening(stretched_rows(1, 4), {}), MissingInput);
  CHECK_THROWS_AS(learn_whitening(stretched_rows(6, 4), {.shrinkage = -1}), UsageError);
  Vectors same(4, 3);
  for (std::size_t i = 0; i < 4; ++i) same.row(i)[0] = 1;
  CHECK_THROWS_AS(learn_whitening(same, {}), MissingInput);
}

TEST_CASE("a whitening is the same once it was written and read") {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  Vectors vectors = stretched_rows(100, 5);
  vectors.origin = {.name = "photos", .encoder = "net", .fingerprint = std::string(64, 'b')};
  const Whitening written = learn_whitening(vectors, {.dim = 4});
  write_whitening(written, path, false);
  const Whitening read = read_whitening(path);
  CHECK(read.rows == 100);
  CHECK(read.kept == written.kept);
  CHECK(read.origin.fingerprint == vectors.origin.fingerprint);
  CHECK(std::ranges::equal(read.transform.mean(), written.transform.mean()));
  for (std::size_t k = 0; k < 4; ++k)
    CHECK(std::ranges::equal(read.transform.projection()->row(k), written.transform.projection()->row(k)));
  CHECK_THROWS_AS(write_whitening(written, path, false), OutputError);

  SECTION("a description that lies is refused, even under a checksum that fits") {
    const std::string whole(as_text(read_file(path)));
    const auto refusal = [&](std::string_view from, std::string_view to) -> std::string {
      std::string bytes = whole.substr(0, whole.size() - sizeof(Xxh3));
      bytes.replace(bytes.find(from), from.size(), to);
      bytes[12] = static_cast<char>(bytes[12] + static_cast<char>(to.size()) - static_cast<char>(from.size()));
      const Xxh3 digest = xxh3(as_bytes(bytes));
      bytes += as_text(std::as_bytes(std::span(digest)));
      write_file(folder / "other", bytes, true);
      try {
        read_whitening(folder / "other");
      } catch (const DamagedFile& error) {
        return error.what();
      }
      return "";
    };
    CHECK(refusal("\"net\"", "\"nets\"") == "");
    const std::string where = folder / "other: damaged whitening: its description: ";
    CHECK(refusal(":100,", ":1e27,") == where + "\"rows\" must be a whole number, found 1e+27");
    CHECK(refusal(":100,", ":-10,") == where + "\"rows\" must be a whole number, found -10");
    CHECK(refusal("\"rows\"", "\"nows\"") == where + "no \"rows\"");
    CHECK(refusal("{", "[") == where + "no well-formed JSON found");
  }

  SECTION("it fits vectors of its own encoder alone") {
    check_whitening(read, path, 12, vectors.origin, false);
    VectorOrigin other = vectors.origin;
    other.fingerprint = std::string(64, 'c');
    CHECK_THROWS_AS(check_whitening(read, path, 12, other, false), Incompatible);
    check_whitening(read, path, 12, other, true);
    CHECK_THROWS_AS(check_whitening(read, path, 11, vectors.origin, true), Incompatible);
    other = vectors.origin;
    other.augmentation = "{}";
    CHECK_THROWS_AS(check_whitening(read, path, 12, other, false), Incompatible);
  }
  SECTION("every changed byte, and every missing one, is noticed") {
    const std::string bytes = read_text(path);
    for (std::size_t i = 0; i < bytes.size(); i += 7) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 4);
      write_file(path, changed, true);
      CHECK_THROWS_AS(read_whitening(path), Error);
      write_file(path, bytes.substr(0, i), true);
      CHECK_THROWS_AS(read_whitening(path), Error);
    }
  }
  SECTION("another file is no whitening") {
    write_file(path, "something else altogether, and not short", true);
    CHECK_THROWS_AS(read_whitening(path), Incompatible);
    CHECK_THROWS_AS(read_whitening(folder / "nowhere"), MissingInput);
  }
}
