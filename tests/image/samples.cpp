#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <initializer_list>

namespace samples {
namespace {

std::string number(std::uint32_t value, int bytes, bool big_endian) {
  std::string out;
  for (int i = 0; i < bytes; ++i) {
    const int shift = 8 * (big_endian ? bytes - 1 - i : i);
    out += static_cast<char>(value >> shift & 0xFF);
  }
  return out;
}

std::string le16(std::uint32_t value) { return number(value, 2, false); }
std::string le32(std::uint32_t value) { return number(value, 4, false); }
std::string be32(std::uint32_t value) { return number(value, 4, true); }

std::string pixels_of(const cbir::Image& image) {
  return {reinterpret_cast<const char*>(image.data.data()), image.data.size()};
}

std::string from_bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

}  // namespace

Buffer to_buffer(const std::string& text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

cbir::Image picture(int width, int height) {
  cbir::Image image(width, height);
  std::uint32_t state = static_cast<std::uint32_t>(width * 1000 + height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      state = state * 1664525u + 1013904223u;
      const int grain = y % 16 < 8 ? static_cast<int>(state >> 25) : 0;
      for (int c = 0; c < 3; ++c) {
        image.row(y)[x * 3 + c] = static_cast<std::uint8_t>((x * 255 / width * (c + 1) + y * 5 + grain) % 256);
      }
    }
  }
  return image;
}

std::string exif_block(int orientation, bool big_endian) {
  const auto n = [&](int value, int bytes) { return number(static_cast<std::uint32_t>(value), bytes, big_endian); };
  return std::string(big_endian ? "MM" : "II") + n(42, 2) + n(8, 4) + n(1, 2) + n(0x0112, 2) + n(3, 2) + n(1, 4) +
         n(orientation, 2) + n(0, 2) + n(0, 4);
}

Buffer jpeg_with_exif(const cbir::Image& image, const std::string& exif) {
  Buffer file = cbir::encode_jpeg(image, 95);
  const std::string body = std::string("Exif\0\0", 6) + exif;
  const Buffer segment =
      to_buffer(std::string("\xFF\xE1") + number(static_cast<std::uint32_t>(body.size()) + 2, 2, true) + body);
  file.insert(file.begin() + 2, segment.begin(), segment.end());
  return file;
}

Buffer jpeg_with_orientation(const cbir::Image& image, int orientation, bool big_endian) {
  return jpeg_with_exif(image, exif_block(orientation, big_endian));
}

std::string chunk(const std::string& type, const std::string& body) {
  std::uint32_t crc = ~0u;
  for (const char c : type + body) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return be32(static_cast<std::uint32_t>(body.size())) + type + body + be32(~crc);
}

std::string stored_zlib(const std::string& raw) {
  std::uint32_t a = 1, b = 0;  // Adler-32
  for (const char c : raw) {
    a = (a + static_cast<std::uint8_t>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<std::uint32_t>(raw.size());  // of one block: below 64 KiB
  return std::string("\x78\x01\x01") + le16(size) + le16(~size & 0xFFFF) + raw + be32(b << 16 | a);
}

Buffer png(int width, int height, int bits, int colour_type, const std::string& raw, const std::string& extra) {
  const std::string head = be32(static_cast<std::uint32_t>(width)) + be32(static_cast<std::uint32_t>(height)) +
                           from_bytes({bits, colour_type, 0, 0, 0});
  return to_buffer(std::string("\x89PNG\r\n\x1A\n") + chunk("IHDR", head) + extra + chunk("IDAT", stored_zlib(raw)) +
                   chunk("IEND", ""));
}

Buffer gif(int width, int height, const std::vector<int>& pixels, int transparent, bool interlaced) {
  const auto w = static_cast<std::uint32_t>(width), h = static_cast<std::uint32_t>(height);
  std::string file = std::string("GIF89a") + le16(w) + le16(h) + from_bytes({0x81, 0, 0});
  file += from_bytes({0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255});
  if (transparent >= 0) file += from_bytes({'!', 0xF9, 4, 1, 0, 0, transparent, 0});
  file += std::string(",") + le16(0) + le16(0) + le16(w) + le16(h) + from_bytes({interlaced ? 0x40 : 0, 2});
  // LZW in codes of 3 bits: a clear code (4) before each pixel keeps them so; 5 ends.
  std::vector<int> codes;
  for (const int pixel : pixels) codes.insert(codes.end(), {4, pixel});
  codes.push_back(5);
  std::string packed((codes.size() * 3 + 7) / 8, '\0');
  for (std::size_t i = 0; i < codes.size() * 3; ++i) {
    if (codes[i / 3] >> (i % 3) & 1) packed[i / 8] = static_cast<char>(packed[i / 8] | 1 << i % 8);
  }
  for (std::size_t at = 0; at < packed.size(); at += 255) {
    const std::string block = packed.substr(at, 255);
    file += static_cast<char>(block.size()) + block;
  }
  return to_buffer(file + from_bytes({0, ';'}));
}

Buffer bmp(const cbir::Image& image) {
  const std::size_t stride = (static_cast<std::size_t>(image.width) * 3 + 3) / 4 * 4;
  std::string rows;
  for (int y = image.height; y-- > 0;) {
    std::string row;
    for (int x = 0; x < image.width; ++x) {
      for (int c = 2; c >= 0; --c) row += static_cast<char>(image.row(y)[x * 3 + c]);
    }
    row.resize(stride);
    rows += row;
  }
  const auto w = static_cast<std::uint32_t>(image.width), h = static_cast<std::uint32_t>(image.height);
  const std::string head = le32(40) + le32(w) + le32(h) + le16(1) + le16(24) + std::string(24, '\0');
  return to_buffer(std::string("BM") + le32(static_cast<std::uint32_t>(54 + rows.size())) + le32(0) + le32(54) + head +
                   rows);
}

Buffer tiff(const cbir::Image& image, int strips) {
  const auto w = static_cast<std::uint32_t>(image.width), h = static_cast<std::uint32_t>(image.height);
  const auto n = static_cast<std::uint32_t>(strips);
  const std::uint32_t rows = (h + n - 1) / n;
  constexpr std::uint32_t kEntries = 9, kBits = 8 + 2 + kEntries * 12 + 4;
  const std::uint32_t offsets = kBits + 6, counts = offsets + 4 * n, pixels = counts + 4 * n;
  const auto entry = [](std::uint32_t tag, std::uint32_t type, std::uint32_t count, std::uint32_t value) {
    return le16(tag) + le16(type) + le32(count) + le32(value);
  };
  std::string file = std::string("II") + le16(42) + le32(8) + le16(kEntries);
  file += entry(256, 4, 1, w) + entry(257, 4, 1, h) + entry(258, 3, 3, kBits) + entry(259, 3, 1, 1);
  file +=
      entry(262, 3, 1, 2) + entry(273, 4, n, n == 1 ? pixels : offsets) + entry(277, 3, 1, 3) + entry(278, 4, 1, rows);
  file += entry(279, 4, n, n == 1 ? w * h * 3 : counts) + le32(0) + le16(8) + le16(8) + le16(8);
  for (std::uint32_t i = 0; i < n; ++i) file += le32(pixels + i * rows * w * 3);
  for (std::uint32_t i = 0; i < n; ++i) file += le32((std::min(h, (i + 1) * rows) - i * rows) * w * 3);
  return to_buffer(file + pixels_of(image));
}

Buffer ppm(const cbir::Image& image) {
  return to_buffer(std::string("P6\n") + std::to_string(image.width) + " " + std::to_string(image.height) + "\n255\n" +
                   pixels_of(image));
}

Buffer webp_lossless() {
  return to_buffer(
      from_bytes({0x52, 0x49, 0x46, 0x46, 0x34, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38,
                  0x4C, 0x27, 0x00, 0x00, 0x00, 0x2F, 0x03, 0x80, 0x00, 0x00, 0x5F, 0x20, 0x16, 0x4C, 0xFC,
                  0x5D, 0xE7, 0xD0, 0x17, 0xC3, 0x50, 0x8C, 0xCC, 0xFC, 0x67, 0xB4, 0x03, 0x41, 0x00, 0x89,
                  0x42, 0x2C, 0xB1, 0xCC, 0x32, 0xCB, 0x2C, 0x93, 0x46, 0xF4, 0x3F, 0x30, 0xDD, 0x01, 0x00}));
}

Buffer webp_lossy() {
  return to_buffer(from_bytes({0x52, 0x49, 0x46, 0x46, 0x4E, 0x00, 0x00, 0x00, 0x57, 0x45, 0x42, 0x50, 0x56, 0x50, 0x38,
                               0x20, 0x42, 0x00, 0x00, 0x00, 0xB0, 0x01, 0x00, 0x9D, 0x01, 0x2A, 0x04, 0x00, 0x03, 0x00,
                               0x02, 0xC0, 0x4C, 0x25, 0xB0, 0x02, 0x74, 0x01, 0x0F, 0x03, 0x34, 0xB8, 0x00, 0xCC, 0x8A,
                               0x83, 0x12, 0xE8, 0xF6, 0xF2, 0x10, 0x8D, 0xDE, 0x15, 0x21, 0x75, 0xDC, 0x66, 0xAD, 0x34,
                               0x43, 0xF3, 0x8F, 0x26, 0xBF, 0xBB, 0xF3, 0xCC, 0xE9, 0x9F, 0xF4, 0x23, 0xEB, 0xBF, 0xD9,
                               0xC9, 0x96, 0x6F, 0xFC, 0x06, 0x29, 0xFA, 0xFB, 0x98, 0x00, 0x00}));
}

std::vector<std::pair<std::string, Buffer>> all() {
  const cbir::Image image = picture(12, 8);  // rows of a multiple of four bytes: a BMP without padding at its end
  std::string rows;
  for (int y = 0; y < image.height; ++y) rows += '\0' + pixels_of(image).substr(static_cast<std::size_t>(y) * 36, 36);
  return {{"JPEG", cbir::encode_jpeg(image, 90)},
          {"PNG", png(12, 8, 8, 2, rows)},
          {"GIF", gif(3, 2, {0, 1, 2, 3, 2, 1})},
          {"lossless WebP", webp_lossless()},
          {"lossy WebP", webp_lossy()},
          {"TIFF", tiff(image)},
          {"TIFF of several strips", tiff(image, 3)},
          {"BMP", bmp(image)},
          {"PPM", ppm(image)}};
}

int largest_difference(const cbir::Image& a, const cbir::Image& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    largest = std::max(largest, std::abs(int{a.data[i]} - int{b.data[i]}));
  return largest;
}

}  // namespace samples
