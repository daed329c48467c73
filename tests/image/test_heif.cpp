/// Files are written by libheif where it has an encoder: Debian 12's has both, Debian 13's has them as plug-ins
/// (libheif-plugin-x265, libheif-plugin-aomenc).
#include <fmt/format.h>
#include <libheif/heif.h>

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
