#include <tests/catch.hpp>

#include "samples.hpp"

namespace {

std::size_t find_marker(const samples::Buffer& file, int marker) {
  for (std::size_t i = 0; i + 1 < file.size(); ++i) {
    if (file[i] == std::byte{0xFF} && file[i + 1] == static_cast<std::byte>(marker)) return i;
  }
  throw std::runtime_error("no such marker");
}

}  // namespace

TEST_CASE("A JPEG comes back nearly as it went") {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(17, 9), std::pair(64, 48)}) {
    cbir::Image flat(width, height);
    for (std::size_t i = 0; i < flat.data.size(); ++i) flat.data[i] = static_cast<std::uint8_t>(50 + i % 3 * 60);
    CHECK(samples::largest_difference(cbir::decode_image(cbir::encode_jpeg(flat, 95)), flat) <= 3);
  }
}

TEST_CASE("Encoding says what it cannot do") {
  CHECK_THROWS_AS(cbir::encode_jpeg(cbir::Image(65501, 1), 80), cbir::UsageError);
  CHECK_THROWS_AS(cbir::encode_jpeg(cbir::Image(), 80), cbir::UsageError);
  CHECK_THROWS_AS(cbir::encode_jpeg(cbir::Image(1, 1), 0), cbir::UsageError);
  CHECK_THROWS_AS(cbir::encode_jpeg(cbir::Image(1, 1), 101), cbir::UsageError);
}

TEST_CASE("A truncated JPEG is not taken as whole, but may be asked for") {
  const samples::Buffer whole = cbir::encode_jpeg(samples::picture(64, 64), 90);
  const samples::Buffer half(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * 3 / 4));
  CHECK_THROWS_WITH(cbir::decode_image(half), ContainsSubstring("truncated JPEG: "));
  const samples::Buffer endless(whole.begin(), whole.end() - 2);  // all pixels, but no end-of-image marker
  CHECK_THROWS_WITH(cbir::decode_image(endless), ContainsSubstring("truncated JPEG: "));

  cbir::DecodeOptions options;
  options.accept_truncated = true;
  const cbir::Image full = cbir::decode_image(whole), part = cbir::decode_image(half, options);
  CHECK(std::equal(full.data.begin(), full.data.begin() + 64 * 3 * 16, part.data.begin()));
  CHECK_FALSE(full.data == part.data);
  CHECK(cbir::decode_image(endless, options).data == full.data);
}

TEST_CASE("Damaged pixels are an error, surplus bytes before a marker are not") {
  samples::Buffer file = cbir::encode_jpeg(samples::picture(64, 64), 90);
  const cbir::Image good = cbir::decode_image(file);
  samples::Buffer stuffed = file;
  stuffed.insert(stuffed.end() - 2, 5, std::byte{0x11});
  CHECK(cbir::decode_image(stuffed).data == good.data);
  samples::Buffer trailing = file;
  trailing.insert(trailing.end(), 100, std::byte{0x22});
  CHECK(cbir::decode_image(trailing).data == good.data);

  // An early end-of-image marker among the pixels.
  const std::size_t middle = (find_marker(file, 0xDA) + file.size()) / 2;
  file[middle] = std::byte{0xFF};
  file[middle + 1] = std::byte{0xD9};
  CHECK_THROWS_WITH(cbir::decode_image(file), ContainsSubstring("damaged JPEG: "));
  cbir::DecodeOptions options;
  options.accept_truncated = true;  // it does not end too early: it is damaged
  CHECK_THROWS_WITH(cbir::decode_image(file, options), ContainsSubstring("damaged JPEG: "));
}

TEST_CASE("JPEGs of a kind that is not read say which") {
  const samples::Buffer file = cbir::encode_jpeg(samples::picture(16, 16), 90);
  const std::size_t frame = find_marker(file, 0xC0);
  const auto with = [&](std::size_t at, int value) {
    samples::Buffer changed = file;
    changed[frame + at] = static_cast<std::byte>(value);
    return changed;
  };
  CHECK_THROWS_WITH(cbir::decode_image(with(4, 12)), ContainsSubstring("12 bits a sample"));
  CHECK_THROWS_WITH(cbir::decode_image(with(1, 0xC3)), ContainsSubstring("lossless"));
  CHECK_THROWS_WITH(cbir::decode_image(with(1, 0xC5)), ContainsSubstring("hierarchical"));
  CHECK_THROWS_WITH(cbir::decode_image(with(9, 2)), ContainsSubstring("2 components"));
  CHECK_THROWS_WITH(cbir::decode_image(with(6, 0)), ContainsSubstring("DNL"));
  samples::Buffer two_frames = file;
  const samples::Buffer copy(file.begin() + static_cast<std::ptrdiff_t>(frame),
                             file.begin() + static_cast<std::ptrdiff_t>(frame) + 19);
  two_frames.insert(two_frames.begin() + static_cast<std::ptrdiff_t>(frame), copy.begin(), copy.end());
  CHECK_THROWS_WITH(cbir::decode_image(two_frames), ContainsSubstring("damaged JPEG"));
}
