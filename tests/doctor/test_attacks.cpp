#include <cbir/doctor/attacks.hpp>

#include <algorithm>
#include <set>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

namespace {

/// Red at the left, blue at the right, green growing downwards.
cbir::Image gradient(int width, int height) {
  cbir::Image image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<std::uint8_t>(255 - 255 * x / width);
      pixel[1] = static_cast<std::uint8_t>(255 * y / height);
      pixel[2] = static_cast<std::uint8_t>(255 * x / width);
    }
  return image;
}

cbir::Image attacked(const std::string& attack, const cbir::Image& image, std::uint64_t seed = 1) {
  cbir::Random random(seed);
  cbir::Image result = image;
  for (const auto& step : cbir::parse_attack_chain(attack).steps)
    result = step.attack->apply(result, step.strength, random);
  return result;
}

std::pair<int, int> size_of(const cbir::Image& image) { return {image.width, image.height}; }

/// The share of pixels that differ clearly.
double changed(const cbir::Image& a, const cbir::Image& b) {
  int count = 0;
  for (std::size_t i = 0; i < a.data.size(); i += 3) {
    int difference = 0;
    for (std::size_t c = 0; c < 3; ++c) difference = std::max(difference, std::abs(a.data[i + c] - b.data[i + c]));
    count += difference > 12;
  }
  return count / (static_cast<double>(a.data.size()) / 3);
}

}  // namespace

TEST_CASE("Attacks change sizes as they say") {
  const cbir::Image image = gradient(200, 100);
  CHECK(size_of(attacked("crop", image)) == std::pair(140, 70));
  CHECK(size_of(attacked("crop:light", image)) == std::pair(170, 85));
  CHECK(size_of(attacked("crop:strong", image)) == std::pair(100, 50));
  CHECK(size_of(attacked("shrink", image)) == std::pair(100, 50));
  CHECK(size_of(attacked("shrink:strong", image)) == std::pair(50, 25));
  CHECK(size_of(attacked("border", image)) == std::pair(216, 116));
  CHECK(size_of(attacked("mirror", image)) == std::pair(200, 100));
  CHECK(size_of(attacked("watermark", image)) == std::pair(200, 100));
  CHECK(size_of(attacked("crop+shrink+border", image)) == std::pair(76, 41));
}

TEST_CASE("A crop is a part of the picture, elsewhere for another seed") {
  const cbir::Image image = gradient(200, 100);
  std::set<std::string> crops;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const cbir::Image part = attacked("crop", image, seed);
    const auto row = std::search(image.data.begin(), image.data.end(), part.row(0), part.row(1));
    CHECK(row != image.data.end());
    crops.emplace(part.data.begin(), part.data.end());
  }
  CHECK(crops.size() > 15);
}

TEST_CASE("A mirrored mirror is the picture") {
  const cbir::Image image = gradient(31, 17);
  CHECK(attacked("mirror", image).row(3)[0] == image.row(3)[30 * 3]);
  CHECK(attacked("mirror+mirror", image).data == image.data);
}

TEST_CASE("A border is of one colour, the picture inside it untouched") {
  const cbir::Image image = gradient(100, 60), framed = attacked("border", image);
  CHECK(std::equal(framed.row(0), framed.row(0) + 3, framed.row(framed.height - 1)));
  for (int y = 0; y < image.height; ++y) CHECK(std::equal(image.row(y), image.row(y + 1), framed.row(y + 5) + 5 * 3));
}

TEST_CASE("Recompressing keeps the picture's looks, the lower the quality the less") {
  const cbir::Image image = gradient(96, 96);
  CHECK(attacked("recompress", image).data != image.data);
  CHECK(changed(image, attacked("recompress:light", image)) < 0.02);
  CHECK(changed(image, attacked("recompress:light", image)) <= changed(image, attacked("recompress:strong", image)));
}

TEST_CASE("A watermark is seen on any ground and leaves most of the picture") {
  for (const int grey : {0, 128, 255}) {
    cbir::Image plain(400, 300);
    std::ranges::fill(plain.data, static_cast<std::uint8_t>(grey));
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const double share = changed(plain, attacked("watermark", plain, seed));
      INFO("grey " << grey << ", seed " << seed);
      CHECK(share > 0.02);
      CHECK(share < 0.3);
      CHECK(changed(plain, attacked("watermark:light", plain, seed)) < share);
      CHECK(changed(plain, attacked("watermark:strong", plain, seed)) > share);
    }
  }
}

TEST_CASE("Every attack bears pictures of any shape") {
  for (const cbir::Attack& attack : cbir::all_attacks())
    for (const auto& [width, height] : {std::pair(1, 1), std::pair(1, 50), std::pair(500, 2), std::pair(3, 3)})
      for (const char* strength : {"light", "medium", "strong"}) {
        INFO(attack.name << ":" << strength << " of " << width << " x " << height);
        const cbir::Image result = attacked(std::string(attack.name) + ":" + strength, gradient(width, height));
        CHECK(result.width >= 1);
        CHECK(result.data.size() ==
              static_cast<std::size_t>(result.width) * static_cast<std::size_t>(result.height) * 3);
      }
}

TEST_CASE("Chains are read and named") {
  CHECK(cbir::parse_attack_chain("crop").name() == "crop");
  CHECK(cbir::parse_attack_chain("crop:strong+mirror:medium+recompress:light").name() ==
        "crop:strong+mirror+recompress:light");
  for (const char* wrong : {"", "crop+", "crops", "crop:", "crop:hard", "+crop", "crop mirror"})
    CHECK_THROWS_AS(cbir::parse_attack_chain(wrong), cbir::UsageError);
  std::set<std::string> names;
  for (const auto& chain : cbir::default_attack_chains()) names.insert(chain.name());
  for (const auto& attack : cbir::all_attacks()) CHECK(names.contains(std::string(attack.name)));
}

TEST_CASE("A chain that ends in recompress is a file of that quality") {
  const cbir::Image image = gradient(64, 64);
  cbir::Random random(1);
  CHECK(cbir::doctor_image(image, cbir::parse_attack_chain("recompress"), 90, random) == cbir::encode_jpeg(image, 20));
  CHECK(cbir::doctor_image(image, cbir::parse_attack_chain("mirror+mirror"), 90, random) ==
        cbir::encode_jpeg(image, 90));
}

TEST_CASE("Random numbers are SplitMix64's") {
  cbir::Random random(1234567);  // the values of its reference implementation
  CHECK(random.next() == 6457827717110365317U);
  CHECK(random.next() == 3203168211198807973U);
  for (int i = 0; i < 1000; ++i) CHECK(random.below(7) < 7);
}
