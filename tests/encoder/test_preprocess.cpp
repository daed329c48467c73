#include <cbir/encoder/encoder.hpp>
#include <tests/catch.hpp>

using namespace cbir;

namespace {

/// A picture whose pixels tell where they are.
Image ramp(int width, int height) {
  Image image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<std::uint8_t>(x);
      pixel[1] = static_cast<std::uint8_t>(y);
      pixel[2] = static_cast<std::uint8_t>(x * 7 + y * 13);
    }
  return image;
}

/// What preprocessing must equal: the picture scaled to width x height, cropped at left, top.
void check_steps(const Image& image, const Preprocessing& p, int width, int height, int left, int top) {
  const Image got = preprocess(image, p);
  CHECK(got.width == p.crop);
  CHECK(got.height == p.crop);
  CHECK(got.data == crop(resize(image, width, height, p.filter), left, top, p.crop, p.crop).data);
}

}  // namespace

TEST_CASE("the short side is scaled, the centre is cropped") {
  Preprocessing p;  // 256, 224, round, floor
  check_steps(ramp(500, 375), p, 341, 256, 58, 16);
  check_steps(ramp(375, 500), p, 256, 341, 16, 58);
  check_steps(ramp(64, 64), p, 256, 256, 16, 16);
  check_steps(ramp(224, 224), p, 256, 256, 16, 16);
  check_steps(ramp(33, 20), p, 422, 256, 99, 16);
}

TEST_CASE("another process can be told what to do") {
  Preprocessing p{.resize = 100,
                  .resize_side = "long",
                  .filter = Filter::lanczos,
                  .resize_rounding = "aspect",
                  .crop_mode = Crop::pad,
                  .crop = 64,
                  .crop_rounding = "round",
                  .mean = {10, 20.25F, 200},
                  .std_dev = {1, 2, 3}};
  const Image image = ramp(91, 57);
  CHECK(preprocess_by_bytes(image, preprocessing_bytes(p)).data == preprocess(image, p).data);
  p.crop_mode = Crop::center;
  p.resize_side = "short";
  CHECK(preprocess_by_bytes(image, preprocessing_bytes(p)).data == preprocess(image, p).data);
  const std::string bytes = preprocessing_bytes(p);
  CHECK_THROWS_AS(preprocess_by_bytes(image, bytes.substr(0, 20)), Error);
  CHECK_THROWS_AS(preprocess_by_bytes(image, bytes.substr(0, bytes.size() - 20)), Error);
}

TEST_CASE("rounding follows the preset") {
  Preprocessing p;
  check_steps(ramp(640, 427), p, 384, 256, 80, 16);  // 383.7
  p.resize_rounding = "floor";
  check_steps(ramp(640, 427), p, 383, 256, 79, 16);  // 79.5
  p.crop_rounding = "round";
  check_steps(ramp(640, 427), p, 383, 256, 80, 16);  // half to even
  Preprocessing even;                                // 100 x 101 scaled by 2.5: 252.5 is 252, half to even
  even.resize = 250;
  check_steps(ramp(100, 101), even, 250, 252, 13, 14);
}

TEST_CASE("a picture too narrow to be scaled is refused, a narrow one is not") {
  const Preprocessing p;
  CHECK_THROWS_AS(preprocess(ramp(1, 100'000), p), ImageError);
  CHECK_THROWS_AS(preprocess(Image(), p), ImageError);
  CHECK(preprocess(ramp(2, 60'000), p).data.size() == 224 * 224 * 3);
}

TEST_CASE("the whole picture, uncropped or on a square of the mean colour") {
  Preprocessing p;
  p.resize = 64;
  p.crop = 48;
  p.crop_mode = Crop::none;
  const Image whole = preprocess(ramp(100, 50), p);
  CHECK(whole.width == 128);
  CHECK(whole.height == 64);
  CHECK(whole.data == resize(ramp(100, 50), 128, 64, p.filter).data);
  CHECK_THROWS_AS(preprocess(ramp(1, 3000), p), ImageError);  // 64 x 192,000

  p.crop_mode = Crop::pad;
  p.mean = {10, 20, 30.4F};
  const Image padded = preprocess(ramp(50, 100), p);  // becomes 24 x 48
  CHECK(padded.width == 48);
  CHECK(padded.height == 48);
  CHECK(crop(padded, 12, 0, 24, 48).data == resize(ramp(50, 100), 24, 48, p.filter).data);
  for (const int x : {0, 11, 36, 47})
    CHECK(std::vector<int>(padded.row(20) + x * 3, padded.row(20) + x * 3 + 3) == std::vector<int>{10, 20, 30});
}

TEST_CASE("sides are chosen and rounded as the preset says") {
  const auto size = [](Image image, const std::string& side, const std::string& rounding, int resize) {
    Preprocessing p;
    p.crop_mode = Crop::none;
    p.resize = resize;
    p.resize_side = side;
    p.resize_rounding = rounding;
    const Image out = preprocess(image, p);
    return std::pair(out.width, out.height);
  };
  CHECK(size(ramp(200, 100), "long", "round", 100) == std::pair(100, 50));
  CHECK(size(ramp(100, 200), "long", "round", 400) == std::pair(200, 400));
  CHECK(size(ramp(100, 200), "long-at-most", "round", 400) == std::pair(100, 200));
  CHECK(size(ramp(100, 200), "long-at-most", "round", 50) == std::pair(25, 50));
  CHECK(size(ramp(100, 200), "both", "round", 50) == std::pair(50, 50));
  // As Pillow's thumbnail(): of 33.2 and 66.8 high the neighbour whose ratio is nearer.
  CHECK(size(ramp(300, 100), "long", "aspect", 100) == std::pair(100, 33));
  CHECK(size(ramp(100, 299), "long", "aspect", 100) == std::pair(33, 100));
  CHECK(size(ramp(1000, 3), "long", "aspect", 100) == std::pair(100, 1));
}
