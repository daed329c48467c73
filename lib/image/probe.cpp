#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include <cbir/image/image.hpp>

#include "exif.hpp"
#include "headers.hpp"

namespace cbir {
namespace {

[[noreturn]] void damaged(ImageFormat format, std::string_view what) {
  throw ImageError(ExitCode::damaged, fmt::format("damaged {}: {}", to_string(format), what));
}

/// What our readers and the libraries below them hold, in bytes a pixel: RGBA and RGB at least.
int working_memory(ImageFormat format) {
  switch (format) {
    case ImageFormat::gif:  // and indices
    case ImageFormat::bmp:  // and indices
      return 8;
    case ImageFormat::webp:  // three canvases and a frame of RGBA, and RGB
      return 20;
    case ImageFormat::tiff:  // and a strip that may be the whole picture
      return 16;
    default:
      return 7;
  }
}

ImageProbe checked(ImageFormat format, std::uint64_t width, std::uint64_t height, int orientation = 1) {
  if (width == 0 || height == 0 || width > INT_MAX || height > INT_MAX) {
    damaged(format, fmt::format("the header says {} x {} pixels", width, height));
  }
  return {format, static_cast<int>(width), static_cast<int>(height), orientation, working_memory(format)};
}

void need(Bytes file, std::size_t size, ImageFormat format) {
  if (file.size() < size) throw_truncated(format, "its header");
}

/// PNG (ISO/IEC 15948): IHDR is first; eXIf may come anywhere before IEND, here it is looked for up to IDAT and after.
ImageProbe probe_png(Bytes file) {
  need(file, 33, ImageFormat::png);
  if (!has_text(file, 12, "IHDR")) damaged(ImageFormat::png, "it does not start with an IHDR chunk");
  int orientation = 1;
  for (std::size_t at = 8; file.size() - at >= 12;) {
    const std::uint32_t length = be32_at(file, at);
    if (length > file.size() - at - 12) break;
    if (has_text(file, at + 4, "eXIf")) {
      orientation = exif_orientation(file.subspan(at + 8, length));
      break;
    }
    at += 12 + std::size_t{length};
  }
  return checked(ImageFormat::png, be32_at(file, 16), be32_at(file, 20), orientation);
}

/// GIF89a. A first frame that reaches beyond the screen enlarges it, as in Pillow.
ImageProbe probe_gif(Bytes file) {
  need(file, 13, ImageFormat::gif);
  unsigned width = le16_at(file, 6), height = le16_at(file, 8);
  const auto table_size = [](unsigned flags) { return flags & 0x80 ? std::size_t{3} << ((flags & 7) + 1) : 0; };
  std::size_t at = 13 + table_size(u8_at(file, 10));
  while (at < file.size()) {
    const unsigned block = u8_at(file, at++);
    if (block == ',') {
      if (file.size() - at < 9) break;
      width = std::max(width, le16_at(file, at) + le16_at(file, at + 4));
      height = std::max(height, le16_at(file, at + 2) + le16_at(file, at + 6));
      return checked(ImageFormat::gif, width, height);
    }
    if (block == ';') damaged(ImageFormat::gif, "it holds no picture");
    if (block != '!') damaged(ImageFormat::gif, fmt::format("unknown block 0x{:02x}", block));
    ++at;  // the extension's label; then sub-blocks up to an empty one
    while (at < file.size() && u8_at(file, at) != 0) at += 1 + u8_at(file, at);
    ++at;
  }
  throw_truncated(ImageFormat::gif, "the blocks before its first picture");
}

std::uint32_t le24_at(Bytes data, std::size_t at) { return le16_at(data, at) | u8_at(data, at + 2) << 16; }

/// WebP container: VP8 (RFC 6386), VP8L, or VP8X with chunks after it.
ImageProbe probe_webp(Bytes file) {
  need(file, 30, ImageFormat::webp);
  if (has_text(file, 12, "VP8 ")) {
    if (!has_text(file, 23, "\x9D\x01\x2A")) damaged(ImageFormat::webp, "no key frame at its start");
    return checked(ImageFormat::webp, le16_at(file, 26) & 0x3FFF, le16_at(file, 28) & 0x3FFF);
  }
  if (has_text(file, 12, "VP8L")) {
    if (u8_at(file, 20) != 0x2F) damaged(ImageFormat::webp, "no lossless signature at its start");
    const std::uint32_t bits = le32_at(file, 21);
    return checked(ImageFormat::webp, (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1);
  }
  if (!has_text(file, 12, "VP8X")) damaged(ImageFormat::webp, "its first chunk is none of VP8, VP8L, VP8X");
  int orientation = 1;
  for (std::size_t at = 12; file.size() - at >= 8;) {
    const std::uint32_t length = le32_at(file, at + 4);
    if (length > file.size() - at - 8) break;
    if (has_text(file, at, "EXIF")) {
      Bytes exif = file.subspan(at + 8, length);
      if (has_text(exif, 0, std::string_view("Exif\0\0", 6)))
        exif = exif.subspan(6);  // some writers copy JPEG's marker
      orientation = exif_orientation(exif);
      break;
    }
    at += std::min<std::size_t>(8 + std::size_t{length} + (length & 1), file.size() - at);
  }
  return checked(ImageFormat::webp, le24_at(file, 24) + 1, le24_at(file, 27) + 1, orientation);
}

ImageProbe probe_tiff(Bytes file) {
  const auto reader = TiffReader::open(file);
  if (!reader) throw_truncated(ImageFormat::tiff, "its header");
  const auto width = reader->first_value(256), height = reader->first_value(257);
  if (!width || !height)
    damaged(ImageFormat::tiff, "its first directory has no width and height, or lies outside the file");
  const auto orientation = reader->first_value(274);
  return checked(ImageFormat::tiff, *width, *height,
                 orientation && *orientation <= 8 && *orientation ? static_cast<int>(*orientation) : 1);
}

ImageProbe probe_bmp(Bytes file) {
  need(file, 26, ImageFormat::bmp);
  if (le32_at(file, 14) == 12) return checked(ImageFormat::bmp, le16_at(file, 18), le16_at(file, 20));  // OS/2
  const std::int64_t height = static_cast<std::int32_t>(le32_at(file, 22));  // negative: rows from the top
  return checked(ImageFormat::bmp, le32_at(file, 18), static_cast<std::uint64_t>(height < 0 ? -height : height));
}

/// Netpbm P1 to P6: numbers separated by white space and comments.
ImageProbe probe_pnm(Bytes file) {
  std::size_t at = 2;
  const auto number = [&]() -> std::uint64_t {
    const auto peek = [&] { return at < file.size() ? u8_at(file, at) : 0; };
    while (peek() == ' ' || (peek() >= '\t' && peek() <= '\r') || peek() == '#') {
      if (peek() == '#') {
        while (at < file.size() && peek() != '\n' && peek() != '\r') ++at;
      } else {
        ++at;
      }
    }
    if (at >= file.size()) throw_truncated(ImageFormat::pnm, "its header");
    std::uint64_t value = 0;
    const std::size_t start = at;
    while (peek() >= '0' && peek() <= '9' && value < INT_MAX) value = value * 10 + (u8_at(file, at++) - '0');
    if (at == start) damaged(ImageFormat::pnm, "the header holds something else than numbers");
    return value;
  };
  const std::uint64_t width = number();
  return checked(ImageFormat::pnm, width, number());
}

}  // namespace

void throw_truncated(ImageFormat format, std::string_view what) {
  throw ImageError(ExitCode::damaged, fmt::format("truncated {}: it ends within {}", to_string(format), what));
}

ImageProbe probe_image(Bytes file) {
  if (file.empty()) throw ImageError(ExitCode::damaged, "empty file");
  const auto format = sniff_format(file);
  if (!format) {
    throw ImageError(
        ExitCode::incompatible,
        "unsupported format: its first bytes are those of no JPEG, PNG, GIF, WebP, TIFF, BMP, HEIF, AVIF or PNM");
  }
  switch (*format) {
    case ImageFormat::jpeg:
      return probe_jpeg(file);
    case ImageFormat::png:
      return probe_png(file);
    case ImageFormat::gif:
      return probe_gif(file);
    case ImageFormat::webp:
      return probe_webp(file);
    case ImageFormat::tiff:
      return probe_tiff(file);
    case ImageFormat::bmp:
      return probe_bmp(file);
    case ImageFormat::heif:
    case ImageFormat::avif:
      return probe_heif(file, *format);
    case ImageFormat::pnm:
      return probe_pnm(file);
  }
  throw ImageError(ExitCode::internal, "a format without a reader");
}

}  // namespace cbir
