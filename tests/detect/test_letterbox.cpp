#include <letterbox.hpp>

#include <tests/catch.hpp>

using namespace cbir;

namespace {

Image ramp(int width, int height) {
  Image out(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) out.row(y)[3 * x + c] = static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50) % 256);
  return out;
}

struct Place {
  int width, height, left, top;
  bool operator==(const Place&) const = default;
};

/// Size of the input, and where in it the picture begins: the first pixel that is not grey.
Place place_of(int width, int height, const LetterboxOptions& options) {
  Image white(width, height);
  for (std::uint8_t& value : white.data) value = 255;
  const Letterboxed out = letterbox(white, options);
  for (int y = 0; y < out.picture.height; ++y)
    for (int x = 0; x < out.picture.width; ++x)
      if (out.picture.row(y)[3 * x] != 114) return {out.picture.width, out.picture.height, x, y};
  return {};
}

}  // namespace

TEST_CASE("a picture gets as much grey as the stride needs, or all of a square") {
  const LetterboxOptions rectangle{};
  CHECK(place_of(640, 480, rectangle) == Place{640, 480, 0, 0});
  CHECK(place_of(810, 1080, rectangle) == Place{480, 640, 0, 0});
  CHECK(place_of(640, 427, rectangle) == Place{640, 448, 0, 10});  // 21 rows: 10 above, 11 below
  CHECK(place_of(320, 240, rectangle) == Place{640, 480, 0, 0});   // small ones are enlarged
  const LetterboxOptions square{.width = 640, .height = 640, .stride = 32, .square = true};
  CHECK(place_of(640, 480, square) == Place{640, 640, 0, 80});
  CHECK(place_of(1, 1, rectangle) == Place{640, 640, 0, 0});
  CHECK(place_of(5000, 1, rectangle) == Place{640, 32, 0, 15});  // never nothing of a picture
}

TEST_CASE("boxes find the way back") {
  const Letterboxed out = letterbox(Image(640, 427), {});
  CHECK(out.scale == 1);
  CHECK(out.left == 0);
  CHECK(out.top == 10.5);
}

TEST_CASE("pictures are scaled as OpenCV does it, bit by bit") {
  // cv2.resize of the same ramp, INTER_LINEAR, by OpenCV 4.6
  const Image up = resize_linear(ramp(3, 2), 5, 3);
  CHECK(std::vector<int>(up.row(1), up.row(1) + 15) ==
        std::vector<int>{7, 57, 107, 9, 59, 109, 14, 64, 114, 18, 68, 118, 21, 71, 121});
  const Image half = resize_linear(ramp(4, 4), 2, 2);  // the mean of four pixels, and no other arithmetic
  CHECK(half.row(0)[0] == (0 + 7 + 13 + 20 + 2) / 4);
  CHECK(resize_linear(ramp(3, 2), 3, 2).data == ramp(3, 2).data);
}
