#include <algorithm>
#include <array>

#include <cbir/base/file.hpp>
#include <cbir/image/image.hpp>

#include "headers.hpp"

namespace cbir {
namespace {

/// AVIF and HEIF are ISO base media files; the brands tell them apart (ISO/IEC 23008-12, AV1 Image File Format).
std::optional<ImageFormat> sniff_brands(Bytes head) {
  const std::size_t end = std::min<std::size_t>(head.size(), std::clamp<std::uint32_t>(be32_at(head, 0), 16, 4096));
  std::optional<ImageFormat> found;
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {  // the major brand, its version, compatible brands
    const std::string_view brand = as_text(head.subspan(at, 4));
    if (brand == "avif" || brand == "avis") return ImageFormat::avif;
    static constexpr std::array<std::string_view, 8> kHeif = {"heic", "heix", "hevc", "hevx",
                                                              "heim", "heis", "mif1", "msf1"};
    if (std::find(kHeif.begin(), kHeif.end(), brand) != kHeif.end()) found = ImageFormat::heif;
  }
  return found;
}

}  // namespace

std::string_view to_string(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::gif:
      return "GIF";
    case ImageFormat::webp:
      return "WebP";
    case ImageFormat::tiff:
      return "TIFF";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::heif:
      return "HEIF";
    case ImageFormat::avif:
      return "AVIF";
    case ImageFormat::pnm:
      return "PNM";
  }
  return "unknown";
}

std::optional<ImageFormat> sniff_format(Bytes head) {
  using namespace std::string_view_literals;
  if (has_text(head, 0, "\xFF\xD8\xFF")) return ImageFormat::jpeg;
  if (has_text(head, 0, "\x89PNG\r\n\x1A\n")) return ImageFormat::png;
  if (has_text(head, 0, "GIF87a") || has_text(head, 0, "GIF89a")) return ImageFormat::gif;
  if (has_text(head, 0, "RIFF") && has_text(head, 8, "WEBP")) return ImageFormat::webp;
  for (const std::string_view magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (has_text(head, 0, magic)) return ImageFormat::tiff;
  }
  if (head.size() >= 16 && has_text(head, 4, "ftyp")) return sniff_brands(head);
  if (has_text(head, 0, "BM") && head.size() >= 18) {  // "BM" alone also starts texts: ask for a known header size
    static constexpr std::array<std::uint32_t, 7> kSizes = {12, 40, 52, 56, 64, 108, 124};
    if (std::find(kSizes.begin(), kSizes.end(), le32_at(head, 14)) != kSizes.end()) return ImageFormat::bmp;
  }
  if (head.size() >= 4 && u8_at(head, 0) == 'P' && u8_at(head, 1) >= '1' && u8_at(head, 1) <= '6') {
    const unsigned next = u8_at(head, 3);  // after one blank: a number, or more blanks and comments before it
    const auto is_blank = [](unsigned c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    if (is_blank(u8_at(head, 2)) && ((next >= '0' && next <= '9') || is_blank(next) || next == '#'))
      return ImageFormat::pnm;
  }
  return std::nullopt;
}

bool has_image_extension(std::string_view path) {
  static constexpr std::string_view kExtensions[] = {
      "jpg", "jpeg", "jpe", "jfif", "jif", "png", "apng", "gif", "webp", "tif", "tiff", "bmp", "dib", "pbm", "pgm",
      "ppm", "pnm", "heic", "heif", "hif", "avif",
      // Pictures that this version does not read: a failure is better than silence.
      "jp2", "j2k", "jpx", "jxl", "psd", "tga", "ico", "svg", "exr", "hdr", "dng", "cr2", "nef", "arw", "raf", "pam",
      "pfm"};
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  std::string extension(path.substr(dot + 1));
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::ranges::find(kExtensions, extension) != std::end(kExtensions);
}

std::string find_picture(const std::string& path) {
  if (has_image_extension(path) || exists(path)) return path;
  for (const std::string extension :
       {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".avif"}) {
    std::string upper = extension;
    std::ranges::transform(upper, upper.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    for (const std::string& ending : {extension, upper})
      if (exists(path + ending)) return path + ending;
  }
  return path;
}

}  // namespace cbir
