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
