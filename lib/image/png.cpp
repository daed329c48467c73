#include <fmt/format.h>
#include <libdeflate.h>

#include <array>
#include <cstring>
#include <memory>

#include <cbir/image/image.hpp>

namespace cbir {
namespace {

constexpr int kLevel = 6;
constexpr std::uint8_t kSub = 1;  // the filter: each byte less that of the pixel to the left
constexpr std::size_t kPixel = 3;

void append_number(std::vector<std::byte>& out, std::uint32_t number) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::byte>(number >> shift & 0xff));
}

void append_chunk(std::vector<std::byte>& out, std::string_view type, Bytes data) {
  append_number(out, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = out.size();
  for (const char c : type) out.push_back(static_cast<std::byte>(c));
  out.insert(out.end(), data.begin(), data.end());
  append_number(out, libdeflate_crc32(0, out.data() + begin, out.size() - begin));
}

/// Each row filtered, with the filter's number before it.
std::vector<std::uint8_t> filtered(const Image& image) {
  const std::size_t length = static_cast<std::size_t>(image.width) * kPixel;
  std::vector<std::uint8_t> out;
  out.reserve((length + 1) * static_cast<std::size_t>(image.height));
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.row(y);
    out.push_back(kSub);
    out.insert(out.end(), row, row + kPixel);
    for (std::size_t i = kPixel; i < length; ++i) out.push_back(static_cast<std::uint8_t>(row[i] - row[i - kPixel]));
  }
  return out;
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image) {
  if (image.width < 1 || image.height < 1) throw UsageError("a picture without pixels is no PNG");
  std::vector<std::byte> out;
  for (const char c : std::string_view("\x89PNG\r\n\x1a\n", 8)) out.push_back(static_cast<std::byte>(c));
  std::vector<std::byte> head;
  append_number(head, static_cast<std::uint32_t>(image.width));
  append_number(head, static_cast<std::uint32_t>(image.height));
  for (const int x : {8, 2, 0, 0, 0})
    head.push_back(static_cast<std::byte>(x));  // 8 bits, RGB, deflate, not interlaced
  append_chunk(out, "IHDR", head);
  const std::vector<std::uint8_t> rows = filtered(image);
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(kLevel), libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::vector<std::byte> packed(libdeflate_zlib_compress_bound(compressor.get(), rows.size()));
  packed.resize(libdeflate_zlib_compress(compressor.get(), rows.data(), rows.size(), packed.data(), packed.size()));
  append_chunk(out, "IDAT", packed);
  append_chunk(out, "IEND", {});
  return out;
}

}  // namespace cbir
