#pragma once
/// Small picture files of every format, made here so that each byte is accounted for.

#include <string>
#include <utility>
#include <vector>

#include <cbir/image/image.hpp>

namespace samples {

using Buffer = std::vector<std::byte>;

/// Smooth in some places, busy in others; different for each size.
cbir::Image picture(int width, int height);

/// A JPEG with an EXIF block that says `orientation`, in either byte order.
Buffer jpeg_with_orientation(const cbir::Image& image, int orientation, bool big_endian);

/// A JPEG with these bytes as the content of an APP1 segment after "Exif\0\0".
Buffer jpeg_with_exif(const cbir::Image& image, const std::string& exif);

/// An EXIF block, from its TIFF header on, of one tag.
std::string exif_block(int orientation, bool big_endian);

std::string chunk(const std::string& type, const std::string& body);  ///< of a PNG
std::string stored_zlib(const std::string& raw);                      ///< zlib stream without compression

/// An uncompressed PNG. `raw` are the filtered rows, `extra` whole chunks between IHDR and IDAT.
Buffer png(int width, int height, int bits, int colour_type, const std::string& raw, const std::string& extra = "");

/// A GIF of four colours (black, red, green, white); `pixels` are indices. transparent < 0: none.
Buffer gif(int width, int height, const std::vector<int>& pixels, int transparent = -1, bool interlaced = false);

Buffer bmp(const cbir::Image& image);                   ///< 24 bits a pixel
Buffer tiff(const cbir::Image& image, int strips = 1);  ///< uncompressed RGB; the directory comes before the pixels
Buffer ppm(const cbir::Image& image);
Buffer webp_lossless();  ///< 4 x 3
Buffer webp_lossy();     ///< 4 x 3

/// One of each format but HEIF and AVIF, by name.
std::vector<std::pair<std::string, Buffer>> all();

Buffer to_buffer(const std::string& text);

/// The largest difference between samples; 256 if the sizes differ.
int largest_difference(const cbir::Image& a, const cbir::Image& b);

}  // namespace samples
