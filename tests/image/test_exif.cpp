#include <lib/image/exif.hpp>
#include <tests/catch.hpp>

#include "samples.hpp"

TEST_CASE("Orientations 1 to 8 put the picture upright, once") {
  const cbir::Image stored = samples::picture(24, 16);
  const cbir::Image plain = cbir::decode_image(cbir::encode_jpeg(stored, 95));
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      const samples::Buffer file = samples::jpeg_with_orientation(stored, orientation, big_endian);
      const cbir::ImageProbe probe = cbir::probe_image(file);
      CHECK(probe.orientation == orientation);
      CHECK(std::pair(probe.width, probe.height) == std::pair(24, 16));
      CHECK(samples::largest_difference(cbir::decode_image(file), cbir::apply_orientation(plain, orientation)) == 0);
    }
  }
}

TEST_CASE("Each orientation moves the corners to where TIFF 6.0 says") {
  cbir::Image image(3, 2);  // corners: 1 2 / 3 4
  image.row(0)[0] = 1, image.row(0)[6] = 2, image.row(1)[0] = 3, image.row(1)[6] = 4;
  const std::vector<std::vector<int>> expected = {{1, 2, 3, 4}, {2, 1, 4, 3}, {4, 3, 2, 1}, {3, 4, 1, 2},
                                                  {1, 3, 2, 4}, {3, 1, 4, 2}, {4, 2, 3, 1}, {2, 4, 1, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const cbir::Image upright = cbir::apply_orientation(image, orientation);
    CHECK(upright.width == (orientation >= 5 ? 2 : 3));
    const int right = (upright.width - 1) * 3, bottom = upright.height - 1;
    const std::vector<int> corners = {upright.row(0)[0], upright.row(0)[right], upright.row(bottom)[0],
                                      upright.row(bottom)[right]};
    CHECK(corners == expected[static_cast<std::size_t>(orientation) - 1]);
  }
}

TEST_CASE("PNG and WebP carry EXIF too") {
  const std::string rows("\0\1\2\3\4\5\6", 7);
  const samples::Buffer file = samples::png(2, 1, 8, 2, rows, samples::chunk("eXIf", samples::exif_block(6, true)));
  CHECK(cbir::probe_image(file).orientation == 6);
  const cbir::Image upright = cbir::decode_image(file);
  CHECK(upright.data == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  CHECK(std::pair(upright.width, upright.height) == std::pair(1, 2));
}

TEST_CASE("Hostile EXIF is orientation 1") {
  const std::string good = samples::exif_block(6, false);
  REQUIRE(cbir::exif_orientation(cbir::as_bytes(good)) == 6);
  for (std::size_t length = 0; length < good.size() - 6; ++length) {  // the value ends 6 bytes before the block
    CHECK(cbir::exif_orientation(cbir::as_bytes(std::string_view(good).substr(0, length))) == 1);
  }
  const auto with = [&](std::size_t at, std::string_view bytes) {
    std::string changed = good;
    changed.replace(at, bytes.size(), bytes);
    return cbir::exif_orientation(cbir::as_bytes(changed));
  };
  using namespace std::string_view_literals;
  CHECK(with(0, "IM") == 1);
  CHECK(with(2, "\x2B\0"sv) == 1);             // says BigTIFF and is none
  CHECK(with(4, "\xFF\xFF\xFF\xFF"sv) == 1);   // directory outside
  CHECK(with(4, "\0\0\0\0"sv) == 1);           // directory within the header
  CHECK(with(8, "\xFF\xFF"sv) == 6);           // more entries than there is room: those that are there count
  CHECK(with(12, "\x02\0"sv) == 1);            // text
  CHECK(with(14, "\xFF\xFF\xFF\xFF"sv) == 1);  // values outside
  CHECK(with(14, "\0\0\0\0"sv) == 1);          // no value
  for (const char value : {'\0', '\x09', '\x7F'}) CHECK(with(18, std::string(1, value)) == 1);

  // The next directory is the first again: nobody follows it.
  CHECK(with(22, "\x08\0\0\0"sv) == 6);
  CHECK(cbir::decode_image(samples::jpeg_with_exif(samples::picture(8, 8), "")).width == 8);
}
