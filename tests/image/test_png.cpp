#include <tests/catch.hpp>

#include "samples.hpp"

TEST_CASE("A PNG comes back as it went") {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(1, 9), std::pair(17, 1), std::pair(64, 48)}) {
    const cbir::Image picture = samples::picture(width, height);
    const auto file = cbir::encode_png(picture);
    CHECK(cbir::sniff_format(file) == cbir::ImageFormat::png);
    const cbir::Image read = cbir::decode_image(file);
    CHECK(read.width == width);
    CHECK(read.height == height);
    CHECK(read.data == picture.data);
  }
}

TEST_CASE("A picture without pixels is no PNG") { CHECK_THROWS_AS(cbir::encode_png(cbir::Image()), cbir::UsageError); }
