#pragma once
/// Pictures in memory, and reading them from files nobody vouches for.
///
/// Decoding follows Pillow's Image.convert("RGB"): grey, palette, CMYK, YCCK, 16-bit and alpha become 8-bit RGB by the
/// same arithmetic. EXIF orientation (TIFF tag 0x0112) is applied once. A damaged file is an ImageError, never half an
/// image. JPEG is decoded by libjpeg-turbo here; all other formats by the codec plug-in, loaded when first needed.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/base/bytes.hpp>
#include <cbir/base/error.hpp>
#include <cbir/base/memory.hpp>

namespace cbir {

/// 8-bit RGB, interleaved, rows without gaps: pixel (x, y) channel c is at data[(y * width + x) * 3 + c].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;

  Image() = default;
  Image(int w, int h) : width(w), height(h), data(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  const std::uint8_t* row(int y) const {
    return data.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * 3;
  }
  std::uint8_t* row(int y) { return data.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * 3; }
};

/// Some pixels of a picture: from (left, top) on, without column `right` and row `bottom`.
struct PixelBox {
  int left = 0, top = 0, right = 0, bottom = 0;

  bool operator==(const PixelBox&) const = default;
};

/// A picture that cannot be read; the message is the reason alone ("truncated JPEG: ..."), without the file's name.
class ImageError : public Error {
 public:
  using Error::Error;
};

enum class ImageFormat { jpeg, png, gif, webp, tiff, bmp, heif, avif, pnm };

std::string_view to_string(ImageFormat format);

/// The format by the first bytes (at least 32 where the file has them), whatever the file's name says.
std::optional<ImageFormat> sniff_format(Bytes head);

/// Whether the name ends like a picture's (".jpg", ".JPEG", ".png", ...), formats that we cannot read included.
bool has_image_extension(std::string_view path);

/// The path itself, if it ends so or leads to a file; else with one of these endings, in lower or upper case, if that
/// leads to one; else the path itself. Ground truths call pictures by names without endings.
std::string find_picture(const std::string& path);

struct ImageProbe {
  ImageFormat format;
  int width = 0;  ///< as stored, before orientation; of HEIF and AVIF, whose decoder crops and turns, as decoded
  int height = 0;
  int orientation = 1;  ///< EXIF 1 to 8
  int working = 0;      ///< bytes a pixel that decoding holds at its peak, about, the picture itself included
};

/// Reads dimensions and orientation without decoding pixels. Throws ImageError.
ImageProbe probe_image(Bytes file);

enum class Alpha {
  white,  ///< composite on white
  black,  ///< composite on black
  drop    ///< ignore the alpha channel, as Pillow's convert("RGB") does
};

class DecoderProcesses;

struct DecodeOptions {
  Alpha alpha = Alpha::white;
  /// Dimensions beyond this are an ImageError (ExitCode::resource) before any pixel is decoded; the default is the
  /// size at which Pillow refuses.
  std::uint64_t max_pixels = 178956970;
  /// Take a JPEG that ends too early, its missing part grey, instead of throwing.
  bool accept_truncated = false;
  /// Where decoding is done (image/decoder_processes.hpp); null: in this process.
  const DecoderProcesses* decoders = nullptr;
  /// What threads that load pictures share (extract/picture.hpp); null: there is enough.
  MemoryBudget* memory = nullptr;
};

/// Waits until DecodeOptions::memory has room for a picture and what decoding it takes; the part is to be held as long
/// as the picture is. `copied`: all of its pixels come from another process. Nothing if memory is not shared out.
/// Throws ImageError (ExitCode::resource) if it can never have room.
std::optional<MemoryBudget::Part> memory_to_decode(Bytes file, const DecodeOptions& options, bool copied);

/// Decodes the whole picture, or the first frame of an animation, upright. Throws ImageError, and std::bad_alloc.
Image decode_image(Bytes file, const DecodeOptions& options = {});

/// Baseline JPEG, 4:2:0; for thumbnails and doctored copies.
std::vector<std::byte> encode_jpeg(const Image& image, int quality);

/// 8-bit RGB. Throws UsageError if there is no pixel.
std::vector<std::byte> encode_png(const Image& image);

/// A part of a picture, which must lie inside it and not be empty.
Image crop(const Image& image, const PixelBox& box);

/// Applies an EXIF orientation (1 to 8), returning the upright picture.
Image apply_orientation(const Image& image, int orientation);

}  // namespace cbir
