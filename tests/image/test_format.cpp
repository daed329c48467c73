#include <cbir/image/image.hpp>
#include <tests/catch.hpp>

#include "samples.hpp"

using cbir::ImageFormat;

TEST_CASE("The first bytes say the format, whatever the name") {
  CHECK(cbir::sniff_format(cbir::encode_jpeg(samples::picture(8, 8), 80)) == ImageFormat::jpeg);
  CHECK(cbir::sniff_format(samples::png(1, 1, 8, 0, std::string("\0x", 2))) == ImageFormat::png);
  CHECK(cbir::sniff_format(samples::gif(1, 1, {0})) == ImageFormat::gif);
  CHECK(cbir::sniff_format(samples::webp_lossy()) == ImageFormat::webp);
  CHECK(cbir::sniff_format(samples::tiff(samples::picture(2, 2))) == ImageFormat::tiff);
  CHECK(cbir::sniff_format(samples::bmp(samples::picture(2, 2))) == ImageFormat::bmp);
  CHECK(cbir::sniff_format(samples::ppm(samples::picture(2, 2))) == ImageFormat::pnm);
  using namespace std::string_literals;
  const auto sniffed = [](const std::string& head) { return cbir::sniff_format(cbir::as_bytes(head)); };
  CHECK(sniffed("\0\0\0\x1c"s
                "ftypheic\0\0\0\0mif1heicmiaf") == ImageFormat::heif);
  CHECK(sniffed("\0\0\0\x1c"s
                "ftypmif1\0\0\0\0mif1avifmiaf"s) == ImageFormat::avif);
  CHECK(sniffed("\0\0\0\x18"s
                "ftypmp42\0\0\0\0isommp42"s) == std::nullopt);
  CHECK(sniffed("BMW and other cars, a list of them") == std::nullopt);
  CHECK(sniffed("P5 of the report, continued") == std::nullopt);
  CHECK(sniffed("P1\n# made by hand\n2 2") == ImageFormat::pnm);
  CHECK(sniffed("P7") == std::nullopt);
  CHECK(sniffed("") == std::nullopt);
}

TEST_CASE("Names of pictures") {
  for (const char* name : {"a.jpg", "dir.d/B.JPEG", "x.tar.png", "\xFF.HeIc", "old.psd"})
    CHECK(cbir::has_image_extension(name));
  for (const char* name : {"a.txt", "jpg", ".jpg", "dir/.png", "a.jpg/b", "a.jpg.txt", ""})
    CHECK_FALSE(cbir::has_image_extension(name));
}

TEST_CASE("Headers tell the size without a pixel decoded") {
  const auto size = [](const samples::Buffer& file) {
    const cbir::ImageProbe probe = cbir::probe_image(file);
    return std::pair(probe.width, probe.height);
  };
  CHECK(size(cbir::encode_jpeg(samples::picture(37, 21), 80)) == std::pair(37, 21));
  CHECK(size(samples::png(30000, 30000, 1, 0, "")) == std::pair(30000, 30000));  // the pixels are not even there
  CHECK(size(samples::gif(3, 2, {0, 0, 0, 0, 0, 0})) == std::pair(3, 2));
  CHECK(size(samples::webp_lossless()) == std::pair(4, 3));
  CHECK(size(samples::webp_lossy()) == std::pair(4, 3));
  CHECK(size(samples::tiff(samples::picture(5, 6))) == std::pair(5, 6));
  CHECK(size(samples::bmp(samples::picture(5, 6))) == std::pair(5, 6));
  CHECK(size(samples::to_buffer("P4 # width\n17 #height\n 9\n")) == std::pair(17, 9));
}

TEST_CASE("What is no picture is told so") {
  CHECK_THROWS_WITH(cbir::probe_image({}), ContainsSubstring("empty file"));
  CHECK_THROWS_WITH(cbir::probe_image(cbir::as_bytes("just some text")), ContainsSubstring("unsupported format"));
  CHECK_THROWS_WITH(cbir::probe_image(samples::png(0, 7, 8, 0, "")), ContainsSubstring("0 x 7"));
}
