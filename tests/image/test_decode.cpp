#include <atomic>
#include <tests/catch.hpp>
#include <thread>

#include "samples.hpp"

namespace {

using Bytes8 = std::vector<std::uint8_t>;

Bytes8 decoded(const samples::Buffer& file, cbir::Alpha alpha = cbir::Alpha::white) {
  cbir::DecodeOptions options;
  options.alpha = alpha;
  return cbir::decode_image(file, options).data;
}

}  // namespace

TEST_CASE("Formats without loss give the pixels that went in") {
  const cbir::Image image = samples::picture(13, 7);
  CHECK(decoded(samples::bmp(image)) == image.data);
  CHECK(decoded(samples::tiff(image)) == image.data);
  CHECK(decoded(samples::tiff(image, 3)) == image.data);
  CHECK(decoded(samples::ppm(image)) == image.data);
}

TEST_CASE("GIF: colours, interlace, transparency") {
  const Bytes8 expected = {0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255};
  CHECK(decoded(samples::gif(2, 2, {0, 1, 2, 3})) == expected);
  const Bytes8 column = {0, 0, 0, 0, 255, 0, 255, 0, 0, 255, 255, 255};  // rows 0, 2, 1, 3 in the file
  CHECK(decoded(samples::gif(1, 4, {0, 1, 2, 3}, -1, true)) == column);
  const Bytes8 on_white = {255, 255, 255, 255, 0, 0};
  CHECK(decoded(samples::gif(2, 1, {0, 1}, 0)) == on_white);
  CHECK(decoded(samples::gif(2, 1, {0, 1}, 0), cbir::Alpha::drop) == Bytes8{0, 0, 0, 255, 0, 0});
}

TEST_CASE("PNG: alpha is composited on white or black, rounded, or dropped") {
  // One pixel of colour 100, alpha 64: (100 * 64 + 255 * 191) / 255 = 216.1.
  const samples::Buffer grey_alpha = samples::png(1, 1, 8, 4, std::string("\0\x64\x40", 3));
  CHECK(decoded(grey_alpha) == Bytes8{216, 216, 216});
  CHECK(decoded(grey_alpha, cbir::Alpha::black) == Bytes8{25, 25, 25});
  CHECK(decoded(grey_alpha, cbir::Alpha::drop) == Bytes8{100, 100, 100});
  for (int alpha = 0; alpha < 256; alpha += 5) {
    for (int colour = 0; colour < 256; colour += 5) {
      const std::string row = {'\0', static_cast<char>(colour), static_cast<char>(alpha)};
      const auto expected = static_cast<std::uint8_t>((2 * (colour * alpha + 255 * (255 - alpha)) + 255) / 510);
      REQUIRE(decoded(samples::png(1, 1, 8, 4, row))[0] == expected);
    }
  }
  const std::string palette =
      samples::chunk("PLTE", std::string("\x0A\x14\x1E\x28\x32\x3C", 6)) + samples::chunk("tRNS", std::string("\0", 1));
  const samples::Buffer indexed = samples::png(2, 1, 1, 3, std::string("\0\x40", 2), palette);
  CHECK(decoded(indexed) == Bytes8{255, 255, 255, 40, 50, 60});
  CHECK(decoded(indexed, cbir::Alpha::drop) == Bytes8{10, 20, 30, 40, 50, 60});
}

TEST_CASE("16 bits are divided by 257 and rounded") {
  for (const int value : {0, 128, 129, 385, 386, 32767, 32768, 65406, 65407, 65535}) {
    const std::string row = {'\0', static_cast<char>(value >> 8), static_cast<char>(value & 255)};
    CHECK(decoded(samples::png(1, 1, 16, 0, row))[0] == (2 * value + 257) / 514);
  }
}

TEST_CASE("More pixels than allowed are refused before any is decoded") {
  const samples::Buffer bomb = samples::png(30000, 30000, 1, 0, "");
  try {
    cbir::decode_image(bomb);
    FAIL("900 million pixels were decoded");
  } catch (const cbir::ImageError& error) {
    CHECK(error.code() == cbir::ExitCode::resource);
    CHECK_THAT(error.what(), ContainsSubstring("30000 x 30000"));
  }
  cbir::DecodeOptions options;
  options.max_pixels = 12 * 8 - 1;
  for (const auto& [name, file] : samples::all()) {
    if (cbir::probe_image(file).width != 12) continue;
    INFO(name);
    CHECK_THROWS_WITH(cbir::decode_image(file, options), ContainsSubstring("more than the limit"));
  }
}

TEST_CASE("Many threads decode at once what one does") {
  const auto files = samples::all();
  std::vector<Bytes8> alone;
  for (const auto& [name, file] : files) alone.push_back(decoded(file));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 200; ++i) {
        const std::size_t which = (i + t) % files.size();
        if (decoded(files[which].second) != alone[which]) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("A file cut short at any byte is an error") {
  for (const auto& [name, file] : samples::all()) {
    INFO(name);
    REQUIRE_NOTHROW(cbir::decode_image(file));
    for (std::size_t length = 0; length < file.size(); ++length) {
      INFO("first " << length << " of " << file.size() << " bytes");
      const samples::Buffer cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK_THROWS_AS(cbir::decode_image(cut), cbir::ImageError);
    }
  }
}

TEST_CASE("Any byte may be wrong: a picture within the limit, or an ImageError") {
  cbir::DecodeOptions options;
  options.max_pixels = 1 << 20;
  std::size_t errors = 0;
  for (const auto& [name, file] : samples::all()) {
    for (std::size_t at = 0; at < file.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xFF}) {
        samples::Buffer changed = file;
        changed[at] ^= static_cast<std::byte>(flip);
        try {
          const cbir::Image image = cbir::decode_image(changed, options);
          REQUIRE(image.data.size() ==
                  static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
        } catch (const cbir::ImageError&) {
          ++errors;
        }
      }
    }
  }
  CHECK(errors > 1000);
}

TEST_CASE("PNG: every changed byte that a checksum covers is noticed") {
  const samples::Buffer file = samples::all()[1].second;
  for (std::size_t at = 8; at < file.size(); ++at) {
    samples::Buffer changed = file;
    changed[at] ^= std::byte{0x04};
    INFO("byte " << at);
    CHECK_THROWS_AS(cbir::decode_image(changed), cbir::ImageError);
  }
}
