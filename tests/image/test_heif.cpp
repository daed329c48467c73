/// Files are written by libheif where it has an encoder: Debian 12's has both, Debian 13's has them as plug-ins
/// (libheif-plugin-x265, libheif-plugin-aomenc).
#include <fmt/format.h>
#include <libheif/heif.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <tests/catch.hpp>

#include "samples.hpp"

/// libx265, which writes the HEIC files here and takes no part in reading, keeps a few blocks for good.
extern "C" const char* __lsan_default_suppressions() { return "leak:libx265"; }

namespace {

struct Delete {
  void operator()(heif_context* context) const { heif_context_free(context); }
  void operator()(heif_image* image) const { heif_image_release(image); }
  void operator()(heif_encoder* encoder) const { heif_encoder_release(encoder); }
};

heif_error append(heif_context*, const void* data, size_t size, void* user) {
  auto& file = *static_cast<samples::Buffer*>(user);
  const auto* bytes = static_cast<const std::byte*>(data);
  file.insert(file.end(), bytes, bytes + size);
  return {heif_error_Ok, heif_suberror_Unspecified, ""};
}

/// The picture, with a constant alpha channel if `alpha` >= 0. Empty if libheif has no encoder for the format.
samples::Buffer encode(heif_compression_format format, const cbir::Image& image, int alpha = -1) {
  const std::unique_ptr<heif_context, Delete> context(heif_context_alloc());
  heif_encoder* raw_encoder = nullptr;
  if (heif_context_get_encoder_for_format(context.get(), format, &raw_encoder).code != heif_error_Ok) return {};
  const std::unique_ptr<heif_encoder, Delete> encoder(raw_encoder);
  heif_encoder_set_lossy_quality(encoder.get(), 95);

  const int channels = alpha < 0 ? 3 : 4;
  heif_image* raw_image = nullptr;
  heif_image_create(image.width, image.height, heif_colorspace_RGB,
                    alpha < 0 ? heif_chroma_interleaved_RGB : heif_chroma_interleaved_RGBA, &raw_image);
  const std::unique_ptr<heif_image, Delete> picture(raw_image);
  heif_image_add_plane(picture.get(), heif_channel_interleaved, image.width, image.height, 8);
  int stride = 0;
  std::uint8_t* plane = heif_image_get_plane(picture.get(), heif_channel_interleaved, &stride);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      std::memcpy(plane + y * stride + x * channels, image.row(y) + x * 3, 3);
      if (alpha >= 0) plane[y * stride + x * channels + 3] = static_cast<std::uint8_t>(alpha);
    }
  }
  REQUIRE(heif_context_encode_image(context.get(), picture.get(), encoder.get(), nullptr, nullptr).code ==
          heif_error_Ok);
  samples::Buffer file;
  heif_writer writer{1, append};
  REQUIRE(heif_context_write(context.get(), &writer, &file).code == heif_error_Ok);
  return file;
}

cbir::Image gradient(int width, int height) {
  cbir::Image image(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) image.row(y)[x * 3 + c] = static_cast<std::uint8_t>(60 + 2 * x + y * c / 2);
    }
  }
  return image;
}

std::string be32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  return bytes;
}

std::string box(const std::string& type, const std::string& body) {
  return be32(static_cast<std::uint32_t>(8 + body.size())) + type + body;
}

/// The boxes of a HEIC file that say how large its only picture is: 64 x 48 pixels are coded, `changes` follow.
samples::Buffer header(const std::vector<std::string>& changes) {
  std::string properties = box("ispe", be32(0) + be32(64) + be32(48)), numbers("\1", 1);
  for (const std::string& change : changes) {
    properties += change;
    numbers += static_cast<char>(numbers.size() + 1);
  }
  const std::string item("\0\1", 2);
  const std::string uses = be32(0) + be32(1) + item + static_cast<char>(numbers.size()) + numbers;
  return samples::to_buffer(
      box("ftyp", "heic" + be32(0) + "mif1heic") +
      box("meta", be32(0) + box("pitm", be32(0) + item) + box("iprp", box("ipco", properties) + box("ipma", uses))));
}

void check(heif_compression_format codec, cbir::ImageFormat format) {
  // Odd, so that a HEIC file holds more pixels than it shows, and a crop ('clap').
  const cbir::Image image = gradient(63, 47);
  const samples::Buffer file = encode(codec, image);
  if (file.empty()) {
    WARN("libheif has no " << to_string(format) << " encoder here: nothing tested");
    return;
  }
  const cbir::ImageProbe probe = cbir::probe_image(file);
  CHECK(probe.format == format);
  CHECK(probe.width == 63);
  CHECK(probe.height == 47);
  CHECK(probe.orientation == 1);
  CHECK(samples::largest_difference(cbir::decode_image(file), image) <= 12);

  cbir::DecodeOptions options;
  options.max_pixels = 63 * 47 - 1;
  CHECK_THROWS_WITH(cbir::decode_image(file, options), ContainsSubstring("more than the limit"));

  const samples::Buffer faint = encode(codec, image, 51);  // a fifth
  const cbir::Image on_white = cbir::decode_image(faint);
  options = {};
  options.alpha = cbir::Alpha::drop;
  const cbir::Image opaque = cbir::decode_image(faint, options);
  CHECK(samples::largest_difference(opaque, image) <= 12);
  for (std::size_t i = 0; i < image.data.size(); i += 97)
    CHECK(std::abs(on_white.data[i] - (image.data[i] + 4 * 255) / 5) <= 5);

  for (std::size_t length = 0; length < file.size(); length += 1 + length / 20) {
    const samples::Buffer cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK_THROWS_AS(cbir::decode_image(cut), cbir::ImageError);
  }
}

}  // namespace

TEST_CASE("HEIC through libheif") { check(heif_compression_HEVC, cbir::ImageFormat::heif); }

TEST_CASE("AVIF through libheif") { check(heif_compression_AV1, cbir::ImageFormat::avif); }

TEST_CASE("HEIF: dimensions are those of the picture that the decoder delivers") {
  const auto size = [](const std::vector<std::string>& changes) {
    const cbir::ImageProbe probe = cbir::probe_image(header(changes));
    return fmt::format("{} x {}", probe.width, probe.height);
  };
  const std::string quarter_turn = box("irot", "\1"), half_turn = box("irot", "\2");
  const auto crop = [](std::uint32_t width, std::uint32_t height, std::uint32_t denominator) {
    return box("clap", be32(width) + be32(denominator) + be32(height) + be32(denominator) + be32(0) + be32(1) +
                           be32(0) + be32(1));
  };
  CHECK(size({}) == "64 x 48");
  CHECK(size({half_turn}) == "64 x 48");
  CHECK(size({quarter_turn}) == "48 x 64");
  CHECK(size({crop(63, 47, 1)}) == "63 x 47");
  CHECK(size({crop(125, 91, 2)}) == "63 x 46");   // 62.5 x 45.5
  CHECK(size({crop(1000, 40, 1)}) == "64 x 40");  // a crop adds nothing
  CHECK(size({crop(60, 40, 1), quarter_turn}) == "40 x 60");
  CHECK(size({quarter_turn, crop(40, 60, 1)}) == "40 x 60");
  CHECK_THROWS_WITH(size({crop(60, 40, 0)}), ContainsSubstring("no dimensions"));
}

TEST_CASE("HEIF: what a picture is put together from is in proportion to it") {
  const std::string none(4, '\0');
  const auto item = [](char id, const char* type) {
    return box("infe", std::string("\2\0\0\0\0", 5) + id + std::string(2, '\0') + type + '\0');
  };
  const auto reference = [](const char* type, char from, int times, char to) {
    std::string body{'\0', from, static_cast<char>(times >> 8), static_cast<char>(times)};
    for (int i = 0; i < times; ++i) body += std::string{'\0', to};
    return box(type, body);
  };
  const auto size = [](std::uint32_t width, std::uint32_t height) {
    return box("ispe", be32(0) + be32(width) + be32(height));
  };
  // Item 1 is the picture, 64 x 48; 2 a tile; 3 something else. Each has the property of its number.
  const auto file = [&](const char* type, const std::string& tile, const std::string& other, const std::string& data,
                        const std::string& references) {
    std::string uses = be32(0) + be32(3), places = be32(0x01000000) + std::string("\x44\0\0\1", 4);
    for (char id = 1; id <= 3; ++id) uses += std::string{'\0', id, '\1', id};
    places += std::string("\0\1\0\1\0\0\0\1", 8) + be32(0) + be32(static_cast<std::uint32_t>(data.size()));
    return samples::to_buffer(
        box("ftyp", "heic" + be32(0) + "mif1heic") +
        box("meta", none + box("pitm", none + std::string("\0\1", 2)) +
                        box("iinf", none + std::string("\0\3", 2) + item(1, type) + item(2, "hvc1") + item(3, "hvc1")) +
                        box("iprp", box("ipco", size(64, 48) + tile + other) + box("ipma", uses)) +
                        box("iloc", places) + box("idat", data) + box("iref", none + references)));
  };
  const auto refuses = [](const samples::Buffer& bytes) {
    CHECK_THROWS_WITH(cbir::probe_image(bytes), ContainsSubstring("its parts have"));
    CHECK_THROWS_AS(cbir::decode_image(bytes), cbir::ImageError);
  };
  const std::string small = size(32, 24), none_else = size(1, 1);
  const std::string grid("\0\0\1\1\0\x40\0\x30", 8);  // 2 x 2 tiles make 64 x 48 pixels
  const auto sound = file("grid", small, none_else, grid, reference("dimg", 1, 4, 2));
  CHECK(cbir::probe_image(sound).width == 64);
  SECTION("a canvas that only the grid's own data tells of") {
    const std::string huge("\0\1\1\1\0\0\xea\x60\0\0\xea\x60", 12);  // 60000 x 60000
    refuses(file("grid", small, none_else, huge, reference("dimg", 1, 4, 2)));
    const std::string overlay = std::string("\0\1\0\0\0\0\0\0\0\0", 10) + be32(60000) + be32(60000);
    refuses(file("iovl", small, none_else, overlay, reference("dimg", 1, 1, 2)));
  }
  SECTION("one tile used thousands of times") {
    refuses(file("grid", size(512, 512), none_else, grid, reference("dimg", 1, 60000, 2)));
  }
  SECTION("tiles that are larger than the picture") {
    refuses(file("grid", size(20000, 20000), none_else, grid, reference("dimg", 1, 4, 2)));
  }
  SECTION("tiles of tiles") {
    refuses(
        file("grid", size(64, 64), size(64, 64), grid, reference("dimg", 1, 2000, 2) + reference("dimg", 2, 2000, 3)));
  }
  SECTION("an item that is a part of itself") {
    refuses(file("grid", small, none_else, grid, reference("dimg", 1, 1, 2) + reference("dimg", 2, 1, 1)));
  }
  SECTION("an alpha channel of another size") {
    refuses(file("hvc1", small, size(30000, 30000), grid, reference("auxl", 3, 1, 1)));
  }
  SECTION("many large pixels are refused as in any format") {
    auto large = sound;
    const std::string before = size(64, 48), after = size(30000, 30000);
    const auto at =
        std::search(large.begin(), large.end(), cbir::as_bytes(before).begin(), cbir::as_bytes(before).end());
    REQUIRE(at != large.end());
    std::copy(cbir::as_bytes(after).begin(), cbir::as_bytes(after).end(), at);
    CHECK_THROWS_WITH(cbir::decode_image(large), ContainsSubstring("30000 x 30000 is 900000000 pixels"));
  }
  SECTION("fields that do not fit their box") {
    for (std::size_t length = sound.size() - 1; length > 100; --length) {
      const samples::Buffer cut(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(length));
      CHECK_THROWS_AS(cbir::probe_image(cut), cbir::ImageError);
    }
  }
}
