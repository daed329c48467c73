#include <fmt/format.h>

#include <algorithm>

#include "exif.hpp"
#include "headers.hpp"

namespace cbir {
namespace {

[[noreturn]] void unsupported(std::string_view what) {
  throw ImageError(ExitCode::incompatible, fmt::format("unsupported JPEG: {}", what));
}

/// Bytes a pixel: RGB, CMYK beside it, and of a progressive JPEG all coefficients. `frame` has all its components.
int working_memory(Bytes frame, unsigned marker, unsigned components) {
  constexpr std::size_t kComponents = 8;
  unsigned samples = 0, largest = 1;
  for (std::size_t i = 0; i < components; ++i) {
    const unsigned factors = u8_at(frame, kComponents + 3 * i + 1), block = (factors >> 4) * (factors & 15);
    samples += block;
    largest = std::max(largest, block);
  }
  const bool progressive = marker == 0xC2 || marker == 0xCA;
  const unsigned coefficients = progressive ? (2 * samples + largest - 1) / largest : 0;
  return static_cast<int>(3 + (components == 4 ? 4 : 0) + coefficients);
}

/// A start of frame, from its length field on (ITU-T T.81, B.2.2).
void read_frame(Bytes segment, unsigned marker, ImageProbe& probe) {
  if (segment.size() < 8) throw ImageError(ExitCode::damaged, "damaged JPEG: the frame header is too short");
  switch (marker) {
    case 0xC0:
    case 0xC1:
    case 0xC2:
    case 0xC9:
    case 0xCA:
      break;  // baseline, extended, progressive; arithmetic coding
    case 0xC3:
    case 0xCB:
      unsupported("lossless compression; only DCT-based JPEGs are read");
    default:
      unsupported("hierarchical compression; only baseline, extended and progressive JPEGs are read");
  }
  const unsigned bits = u8_at(segment, 2), components = u8_at(segment, 7);
  if (bits != 8) unsupported(fmt::format("{} bits a sample; only 8 are read", bits));
  if (components != 1 && components != 3 && components != 4) {
    unsupported(fmt::format("{} components; only 1, 3 and 4 are read", components));
  }
  if (segment.size() < 8 + 3 * std::size_t{components})
    throw ImageError(ExitCode::damaged, "damaged JPEG: the frame header is too short");
  probe.working = working_memory(segment, marker, components);
  probe.height = static_cast<int>(be16_at(segment, 3));
  probe.width = static_cast<int>(be16_at(segment, 5));
  if (probe.height == 0) unsupported("its height is only told after the first scan (DNL)");
  if (probe.width == 0) throw ImageError(ExitCode::damaged, "damaged JPEG: the header says 0 pixels a row");
}

}  // namespace

ImageProbe probe_jpeg(Bytes file) {
  ImageProbe probe{ImageFormat::jpeg, 0, 0, 1};
  bool seen_exif = false;
  for (std::size_t at = 2;;) {
    // Like libjpeg: anything before the next marker is passed over.
    while (at < file.size() && u8_at(file, at) != 0xFF) ++at;
    while (at < file.size() && u8_at(file, at) == 0xFF) ++at;
    if (at >= file.size()) throw_truncated(ImageFormat::jpeg, "its header");
    const unsigned marker = u8_at(file, at++);
    if (marker == 0 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // without a length
    if (marker == 0xD9) throw ImageError(ExitCode::damaged, "damaged JPEG: it holds no picture");
    if (marker == 0xDA) break;  // start of scan
    if (file.size() - at < 2) throw_truncated(ImageFormat::jpeg, "its header");
    const std::size_t length = be16_at(file, at);
    if (length < 2)
      throw ImageError(ExitCode::damaged, fmt::format("damaged JPEG: segment 0x{:02x} of {} bytes", marker, length));
    if (length > file.size() - at) throw_truncated(ImageFormat::jpeg, "its header");
    const Bytes segment = file.subspan(at, length);
    if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
      read_frame(segment, marker, probe);
    } else if (marker == 0xE1 && !seen_exif && has_text(segment, 2, std::string_view("Exif\0", 5))) {
      seen_exif = true;
      if (segment.size() > 8) probe.orientation = exif_orientation(segment.subspan(8));
    }
    at += length;
  }
  constexpr int kTurning = 6;  // RGB, and RGB turned
  if (probe.orientation != 1) probe.working = std::max(probe.working, kTurning);
  if (probe.width == 0) throw ImageError(ExitCode::damaged, "damaged JPEG: its data starts without a frame header");
  return probe;
}

}  // namespace cbir
