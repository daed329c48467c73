/// Dimensions of the primary item of an ISO base media file (ISO/IEC 14496-12, 23008-12), by its properties: ispe,
/// clap, irot.
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "headers.hpp"
#include "heif_items.hpp"

namespace cbir {
namespace {

/// What a full box starts with: version and flags.
constexpr std::size_t kFullBox = 4;

/// A fraction of two numbers, rounded as libheif does; 0 if there is no such number.
std::uint32_t rounded_fraction(Bytes data, std::size_t at) {
  const std::uint64_t numerator = be32_at(data, at), denominator = be32_at(data, at + 4);
  if (denominator == 0) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>((numerator + denominator / 2) / denominator, UINT32_MAX));
}

/// A file of some hundred bytes can name one tile thousands of times, or put it on a canvas that its own dimensions
/// know nothing of: what is to be decoded must be in proportion to the picture.
void check_parts(const HeifItems& items, std::uint64_t pixels, ImageFormat format) {
  // The picture itself, its tiles, an alpha channel and that one's tiles, with room for tiles that stick out.
  constexpr std::uint64_t kTimes = 8, kRoom = 16 << 20;
  std::uint64_t made = items.pixels_made(items.primary());
  for (const std::uint32_t auxiliary : items.auxiliaries(items.primary()))
    made = std::min(UINT64_MAX / 2, made + items.pixels_made(auxiliary));
  if (made > kRoom && (made - kRoom) / kTimes > pixels)
    throw ImageError(ExitCode::resource, fmt::format("damaged {}: its parts have {} pixels, but the picture only {}",
                                                     to_string(format), made, pixels));
}

}  // namespace

ImageProbe probe_heif(Bytes file, ImageFormat format) {
  const HeifItems items(file, format);
  std::uint32_t width = 0, height = 0;
  std::uint64_t stored = 0;
  // The size of what was coded comes first, then what the decoder does to it, in the order of the properties.
  for (const HeifBox& box : items.properties(items.primary())) {
    if (box.type == "ispe" && box.body.size() >= kFullBox + 8) {
      width = be32_at(box.body, kFullBox);
      height = be32_at(box.body, kFullBox + 4);
      stored = std::uint64_t{width} * height;
    } else if (box.type == "clap" && box.body.size() >= 16) {
      width = std::min(width, rounded_fraction(box.body, 0));
      height = std::min(height, rounded_fraction(box.body, 8));
    } else if (box.type == "irot" && !box.body.empty() && (u8_at(box.body, 0) & 1)) {  // by a quarter
      std::swap(width, height);
    }
  }
  if (width == 0 || height == 0 || width > INT_MAX || height > INT_MAX) {
    throw ImageError(ExitCode::damaged, fmt::format("damaged {}: its picture has no dimensions", to_string(format)));
  }
  check_parts(items, stored, format);
  constexpr int kWorking = 24;  // planes of 16 bits, a reference picture of them, RGBA twice, RGB
  return {format, static_cast<int>(width), static_cast<int>(height), 1, kWorking};
}

}  // namespace cbir
