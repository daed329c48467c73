#include <cmath>
#include <set>

#include <cbir/base/random.hpp>

#include "lib/catalog/code_tables.hpp"
#include "lib/catalog/descriptor_codes.hpp"
#include "tests/catch.hpp"

using namespace cbir;

namespace {

const LocalKind kFloats{.name = "f", .fingerprint = "", .dim = 20, .binary = false};
const LocalKind kBits{.name = "b", .fingerprint = "", .dim = 32, .binary = true};

float uniform(SplitMix64& random) { return static_cast<float>(random() >> 40) * 0x1p-24F; }

LocalFeatures floats(std::size_t count, std::uint64_t seed) {
  SplitMix64 random(seed);
  LocalFeatures out{.width = 100, .height = 100};
  out.keypoints.resize(count);
  for (std::size_t i = 0; i < count * kFloats.dim; ++i) out.descriptors.push_back(uniform(random));
  return out;
}

/// The same descriptors, a little off.
LocalFeatures shaken(LocalFeatures features, float by) {
  SplitMix64 random(99);
  for (float& x : features.descriptors) x += by * (uniform(random) - .5F);
  return features;
}

}  // namespace

TEST_CASE("The distance of codes is the number of bits that differ") {
  const DescriptorCode none{}, all = {~0ULL, ~0ULL, ~0ULL, ~0ULL};
  CHECK(code_distance(none, none) == 0);
  CHECK(code_distance(none, all) == 256);
  CHECK(code_distance({0b1011, 0, 1ULL << 63, 0}, {0b0001, 0, 0, 0}) == 3);
}

TEST_CASE("Codes of descriptors that are alike differ in few bits, those of others in half of them") {
  const LocalFeatures a = floats(50, 1), b = shaken(a, .1F);
  const DescriptorCoder coder(kFloats, a.descriptors);
  const DescriptorCodes of_a = coder.encode(a, true), of_b = coder.encode(b, false);
  CHECK(of_a.margins.size() == 50 * kCodeBits);
  CHECK(of_b.margins.empty());
  double same = 0, other = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    same += code_distance(of_a.codes[i], of_b.codes[i]) / 50.;
    other += code_distance(of_a.codes[i], of_b.codes[(i + 1) % 50]) / 50.;
  }
  CHECK(same < 20);
  CHECK(other == Approx(128).margin(10));
}

TEST_CASE("Bits that differ are those of small margins") {
  const LocalFeatures a = floats(50, 1), b = shaken(a, .1F);
  const DescriptorCoder coder(kFloats, a.descriptors);
  const DescriptorCodes of_a = coder.encode(a, true), of_b = coder.encode(b, false);
  double differing = 0, mean = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < of_a.margins.size(); ++i) {
    const std::size_t row = i / kCodeBits, bit = i % kCodeBits;
    const bool differs = (of_a.codes[row][bit / 64] ^ of_b.codes[row][bit / 64]) >> bit % 64 & 1U;
    mean += static_cast<double>(of_a.margins[i]) / static_cast<double>(of_a.margins.size());
    if (differs) differing += static_cast<double>(of_a.margins[i]), ++count;
  }
  CHECK(differing / static_cast<double>(count) < mean / 4);
}

TEST_CASE("Binary descriptors are codes already") {
  LocalFeatures features{.width = 9, .height = 9};
  features.keypoints.resize(1);
  features.bits.assign(32, 0);
  features.bits[0] = 1;
  features.bits[31] = 0x80;
  const DescriptorCodes codes = DescriptorCoder(kBits, {}).encode(features, true);
  CHECK(codes.codes == std::vector<DescriptorCode>{{1, 0, 0, 1ULL << 63}});
  CHECK(codes.margins.empty());
}

TEST_CASE("A catalogue of nothing but plain pictures has a coder all the same") {
  CHECK(DescriptorCoder(kFloats, {}).encode(floats(3, 1), false).codes.size() == 3);
  CHECK(DescriptorCoder(kFloats, {}).encode({}, true).codes.empty());
}

TEST_CASE("Tables find a code that is like another, and few of those that are not") {
  const LocalFeatures a = floats(4000, 1), b = shaken(a, .15F);
  const DescriptorCoder coder(kFloats, a.descriptors);
  const DescriptorCodes known = coder.encode(a, false), asked = coder.encode(b, true);
  const CodeTables tables(known.codes, false);
  std::size_t found = 0, looked_at = 0;
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    tables.find(asked.codes[i], std::span(asked.margins).subspan(i * kCodeBits, kCodeBits), numbers);
    REQUIRE(std::set<std::uint32_t>(numbers.begin(), numbers.end()).size() == numbers.size());
    found += std::ranges::binary_search(numbers, i);
    looked_at += numbers.size();
  }
  CHECK(found > 3600);
  CHECK(looked_at < 4000 * 200);
}

TEST_CASE("Without margins a code is found by what it shares") {
  const DescriptorCode one = {1, 2, 3, 4}, near = {1, 2, 3, 5}, far = {~1ULL, ~2ULL, ~3ULL, ~4ULL};
  const std::vector<DescriptorCode> codes = {one, far};
  std::vector<std::uint32_t> numbers;
  CodeTables(codes, true).find(near, {}, numbers);
  CHECK(numbers == std::vector<std::uint32_t>{0});
  CodeTables({}, true).find(near, {}, numbers);
  CHECK(numbers.empty());
}
