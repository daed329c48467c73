#include <cmath>
#include <random>

#include <cbir/base/error.hpp>
#include <lib/local/nn.hpp>
#include <lib/local/nn_kernels.hpp>
#include <lib/local/nn_reference.hpp>
#include <tests/catch.hpp>
#include <tests/index/targets.hpp>

using namespace cbir;

namespace {

std::vector<float> floats(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> out(count);
  for (float& x : out) x = static_cast<float>(generator() % 2001) / 1000 - 1;
  return out;
}

std::vector<std::uint8_t> bytes(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::uint8_t> out(count);
  for (std::uint8_t& x : out) x = static_cast<std::uint8_t>(generator());
  return out;
}

void check_equal(const NearestRows& found, const NearestRows& expected, float tolerance) {
  REQUIRE(found.of_a.size() == expected.of_a.size());
  for (std::size_t i = 0; i < found.of_a.size(); ++i) {
    CHECK(found.of_a[i].nearest == Approx(expected.of_a[i].nearest).margin(tolerance));
    CHECK(found.of_a[i].second == Approx(expected.of_a[i].second).margin(tolerance));
    CHECK(found.of_a[i].row == expected.of_a[i].row);
  }
  CHECK(found.row_of_b == expected.row_of_b);
}

const LocalKind kFloats{.name = "sift", .fingerprint = {}, .dim = 2};
const LocalKind kBits{.name = "orb", .fingerprint = {}, .dim = 1, .binary = true};

LocalFeatures of_floats(std::vector<float> descriptors) {
  return {.keypoints = std::vector<Keypoint>(descriptors.size() / 2), .descriptors = std::move(descriptors)};
}

}  // namespace

TEST_CASE("nearest rows by L2 are those of the plain loop, with every instruction set") {
  fixture::for_each_target([] {
    for (const std::size_t dim : {1, 7, 64, 128})
      for (const auto& [rows_a, rows_b] : {std::pair{1, 1}, {5, 33}, {6, 32}, {13, 100}, {40, 1}}) {
        const auto count_a = static_cast<std::size_t>(rows_a), count_b = static_cast<std::size_t>(rows_b);
        const auto a = floats(count_a * dim, 1), b = floats(count_b * dim, 2);
        const MatrixView<const float> of_a(a.data(), count_a, dim), of_b(b.data(), count_b, dim);
        check_equal(nearest_l2(of_a, of_b), reference::nearest(of_a, of_b, reference::l2), 1e-4F);
      }
  });
}

TEST_CASE("nearest rows of bits are those of the plain loop, with every instruction set") {
  fixture::for_each_target([] {
    for (const std::size_t dim : {1, 3, 32, 64, 250})  // 250: more than counts added as bytes can hold
      for (const auto& [rows_a, rows_b] : {std::pair{1, 1}, {5, 33}, {8, 64}, {40, 1}}) {
        const auto count_a = static_cast<std::size_t>(rows_a), count_b = static_cast<std::size_t>(rows_b);
        auto a = bytes(count_a * dim, 1), b = bytes(count_b * dim, 2);
        for (std::size_t i = 0; i < dim; ++i) b[i] = static_cast<std::uint8_t>(~a[i]);  // all bits differ
        const MatrixView<const std::uint8_t> of_a(a.data(), count_a, dim), of_b(b.data(), count_b, dim);
        check_equal(nearest_hamming(of_a, of_b), reference::nearest(of_a, of_b, reference::hamming), 0);
      }
  });
}

TEST_CASE("of equally near rows the first is the nearest, either way") {
  fixture::for_each_target([] {
    const std::vector<float> same(40 * 8, .5F);
    const MatrixView<const float> rows(same.data(), 40, 8);
    const NearestRows found = nearest_l2(rows, rows);
    for (const NearestRows::OfA& of_a : found.of_a) {
      CHECK(of_a.row == 0);
      CHECK(of_a.second == of_a.nearest);
    }
    CHECK(found.row_of_b == std::vector<std::int32_t>(40, 0));
  });
}

TEST_CASE("a descriptor that holds no number is nearest to nothing") {
  std::vector<float> a = {NAN, 0, 1, 1}, b = {1, 1, 1, 2};
  const NearestRows found = nearest_l2({a.data(), 2, 2}, {b.data(), 2, 2});
  CHECK(found.of_a[0].nearest == kNoDistance);
  CHECK(found.of_a[1].nearest == 0);
  CHECK(found.row_of_b[0] == 1);
}

TEST_CASE("features match that are each other's nearest and clearly nearer than the next") {
  const auto matcher = make_nn_matcher(kFloats, {.ratio = .8F});
  //                                 0         1        2
  const LocalFeatures a = of_floats({0, 0, /**/ 9, 0, /**/ 50, 50});
  const LocalFeatures b = of_floats({0, 1, /**/ 10, 0, /**/ 12, 0});
  const std::vector<LocalMatch> matches = matcher->match(a, b);
  REQUIRE(matches.size() == 2);
  CHECK(matches[0] == LocalMatch{0, 0, 1 - std::sqrt(1.0F) / std::sqrt(100.0F)});
  CHECK((matches[1].a == 1 && matches[1].b == 1));  // 2 is nearest to 2, whose nearest is 1
}

TEST_CASE("a repeated feature matches nothing, since nobody knows which of them it is") {
  const auto matcher = make_nn_matcher(kFloats, {.ratio = .8F});
  CHECK(matcher->match(of_floats({1, 1}), of_floats({1, 1, 1, 1})).empty());
  CHECK(matcher->match(of_floats({1, 1}), of_floats({1, 1})).size() == 1);
}

TEST_CASE("bits match within a distance") {
  const auto matcher = make_nn_matcher(kBits, {.ratio = .9F, .distance = 2});
  const LocalFeatures a{.keypoints = std::vector<Keypoint>(2), .bits = {0b00000000, 0b11110000}};
  const LocalFeatures b{.keypoints = std::vector<Keypoint>(2), .bits = {0b00000011, 0b00001111}};
  const std::vector<LocalMatch> matches = matcher->match(a, b);
  REQUIRE(matches.size() == 1);
  CHECK((matches[0].a == 0 && matches[0].b == 0));
}

TEST_CASE("pictures without features match nothing") {
  const auto matcher = open_local_matcher("nn", kFloats);
  CHECK(matcher->match({}, of_floats({1, 2})).empty());
  CHECK(matcher->match(of_floats({1, 2}), {}).empty());
}

TEST_CASE("descriptors of another kind are refused") {
  const auto matcher = open_local_matcher("nn", kFloats);
  const LocalFeatures orb{.keypoints = std::vector<Keypoint>(1), .bits = {1}};
  CHECK_THROWS_AS(matcher->match(orb, of_floats({1, 2})), UsageError);
  CHECK_THROWS_AS(open_local_matcher("nearest", kFloats), UsageError);
}
