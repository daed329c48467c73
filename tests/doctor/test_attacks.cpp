#include <cbir/doctor/attacks.hpp>

#include <algorithm>
#include <cmath>
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
  CHECK(size_of(attacked("rotate90", image)) == std::pair(100, 200));
  CHECK(size_of(attacked("rotate5", image)) == std::pair(208, 118));  // 200 cos 5 + 100 sin 5, and so on
  CHECK(size_of(attacked("rotate5:strong", image)).first > 210);
  CHECK(size_of(attacked("collage:light", image)) == std::pair(206, 209));  // two, one above the other
  CHECK(size_of(attacked("collage", image)) == std::pair(246, 126));
  for (const char* same : {"logo", "blur", "noise", "colour", "grey", "perspective"})
    CHECK(size_of(attacked(same, image)) == std::pair(200, 100));
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

TEST_CASE("A logo covers a corner, and nothing else") {
  cbir::Image plain(300, 200);
  std::ranges::fill(plain.data, std::uint8_t{128});
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    INFO("seed " << seed);
    const double light = changed(plain, attacked("logo:light", plain, seed));
    const double strong = changed(plain, attacked("logo:strong", plain, seed));
    CHECK(light > 0.005);  // of a square of 40 pixels in 300 x 200, at least what is drawn of it
    CHECK(light <= 40.0 * 40 / (300 * 200));
    CHECK(strong > 5 * light);
    CHECK(strong <= 110.0 * 110 / (300 * 200));
  }
}

TEST_CASE("A viewer's window, a post and a page have the picture in them as it is") {
  const cbir::Image image = gradient(160, 120);
  for (const char* strength : {"light", "medium", "strong"}) {
    const cbir::Image shot = attacked(std::string("screenshot:") + strength, image);
    INFO(strength << ": " << shot.width << " x " << shot.height);
    CHECK(shot.height > image.height);
    const auto place = std::search(shot.data.begin(), shot.data.end(), image.row(0), image.row(1));
    REQUIRE(place != shot.data.end());
    const auto first = static_cast<int>(place - shot.data.begin());
    const int left = first % (3 * shot.width), top = first / (3 * shot.width);
    for (int y = 0; y < image.height; ++y) CHECK(std::equal(image.row(y), image.row(y + 1), shot.row(top + y) + left));
  }
  CHECK(size_of(attacked("screenshot:strong", image)).first > image.width * 1.4);
}

TEST_CASE("A collage has the picture as one of its tiles, whichever it is") {
  const cbir::Image image = gradient(60, 90);  // side by side
  std::set<long> places;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const cbir::Image collage = attacked("collage:light", image, seed);
    const auto place = std::search(collage.data.begin(), collage.data.end(), image.row(0), image.row(1));
    REQUIRE(place != collage.data.end());
    places.insert((place - collage.data.begin()) % (3 * collage.width));
  }
  CHECK(places.size() == 2);
}

TEST_CASE("A quarter turn is to the left or to the right") {
  const cbir::Image image = gradient(31, 17);
  bool left = false, right = false;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const cbir::Image turned = attacked("rotate90", image, seed);
    const bool is_left = turned.data == cbir::apply_orientation(image, 8).data;
    CHECK((is_left || turned.data == cbir::apply_orientation(image, 6).data));
    left = left || is_left;
    right = right || !is_left;
  }
  CHECK(left);
  CHECK(right);
}

TEST_CASE("A small turn keeps the middle, and shows black or white at the corners") {
  cbir::Image red(101, 101);
  for (std::size_t i = 0; i < red.data.size(); i += 3) red.data[i] = 200;
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    const cbir::Image turned = attacked("rotate5", red, seed);
    const std::uint8_t* middle = turned.row(turned.height / 2) + turned.width / 2 * 3;
    CHECK((middle[0] == 200 && middle[1] == 0 && middle[2] == 0));
    const std::uint8_t corner = turned.row(0)[1];
    CHECK((corner == 0 || corner == 255));
    CHECK(turned.row(0)[0] == corner);
  }
}

TEST_CASE("Perspective moves the picture inwards, the more the stronger") {
  cbir::Image grey(200, 150);
  std::ranges::fill(grey.data, std::uint8_t{128});
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    INFO("seed " << seed);
    const double light = changed(grey, attacked("perspective:light", grey, seed));
    const double strong = changed(grey, attacked("perspective:strong", grey, seed));
    CHECK(light > 0.04);
    CHECK(light < 0.25);
    CHECK(strong > 2 * light);
    CHECK(strong < 0.7);
  }
}

TEST_CASE("Noise has the deviation that it says") {
  cbir::Image grey(200, 200);
  std::ranges::fill(grey.data, std::uint8_t{128});
  for (const auto& [strength, deviation] : {std::pair("light", 12.0), std::pair("medium", 25.0)}) {
    double squares = 0, sum = 0;
    for (const std::uint8_t value : attacked(std::string("noise:") + strength, grey).data) {
      squares += (value - 128.0) * (value - 128.0);
      sum += value - 128.0;
    }
    CHECK(std::sqrt(squares / 120000) == Approx(deviation).epsilon(0.02));
    CHECK(std::abs(sum / 120000) < 0.3);
  }
  CHECK(attacked("noise", grey, 1).data != attacked("noise", grey, 2).data);
}

TEST_CASE("Blur takes edges away, and leaves what is plain") {
  cbir::Image halves(200, 200);
  for (int y = 0; y < 200; ++y) std::fill(halves.row(y) + 300, halves.row(y) + 600, std::uint8_t{255});
  int steepest = 255;
  for (const char* strength : {"light", "medium", "strong"}) {
    const cbir::Image blurred = attacked(std::string("blur:") + strength, halves);
    const int step = blurred.row(100)[300] - blurred.row(100)[297];
    CHECK(step < steepest);
    steepest = step;
    CHECK(blurred.row(100)[0] == 0);
    CHECK(blurred.row(100)[597] == 255);
  }
}

TEST_CASE("Grey is without colour, light grey with less of it") {
  const cbir::Image image = gradient(60, 40);
  for (const char* strength : {"medium", "strong"}) {
    const cbir::Image grey = attacked(std::string("grey:") + strength, image);
    for (std::size_t i = 0; i < grey.data.size(); i += 3)
      REQUIRE((grey.data[i] == grey.data[i + 1] && grey.data[i] == grey.data[i + 2]));
  }
  const cbir::Image light = attacked("grey:light", image);
  const int before = image.row(20)[0] - image.row(20)[2], after = light.row(20)[0] - light.row(20)[2];
  CHECK(after > 0);
  CHECK(after < before / 2);
}

TEST_CASE("Colours change, the more the stronger; forms stay") {
  const cbir::Image image = gradient(64, 64);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    INFO("seed " << seed);
    const auto difference = [&](const char* strength) {
      const cbir::Image other = attacked(std::string("colour:") + strength, image, seed);
      double sum = 0;
      for (std::size_t i = 0; i < image.data.size(); ++i) sum += std::abs(image.data[i] - other.data[i]);
      return sum / static_cast<double>(image.data.size());
    };
    CHECK(difference("light") > 4);
    CHECK(difference("medium") > 1.4 * difference("light"));
    CHECK(difference("strong") > 1.3 * difference("medium"));
  }
}

TEST_CASE("The same seed gives the same pixels, for every attack") {
  const cbir::Image image = gradient(90, 70);
  for (const cbir::Attack& attack : cbir::all_attacks())
    for (const char* strength : {"light", "medium", "strong"}) {
      const std::string name = std::string(attack.name) + ":" + strength;
      INFO(name);
      CHECK(attacked(name, image, 5).data == attacked(name, image, 5).data);
    }
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

TEST_CASE("All attacks at once, at a strength") {
  const auto all = cbir::parse_attacks("all:strong");
  CHECK(all.size() == cbir::all_attacks().size());
  CHECK(all.front().name() == "watermark:strong");
  CHECK(cbir::parse_attacks("all").front().name() == "watermark");
  CHECK(cbir::parse_attacks("crop+mirror").size() == 1);
  for (const char* wrong : {"all:", "all:hard", "all+crop", "crop+all", "allover"})
    CHECK_THROWS_AS(cbir::parse_attacks(wrong), cbir::UsageError);
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
