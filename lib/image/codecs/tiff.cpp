/// The first directory of a TIFF through libtiff's RGBA interface, with errors reported to us (libtiff 4.5) and any
/// error fatal: libtiff itself would go on and leave strips black.
#include <tiffio.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

struct Source {
  Bytes file;
  std::uint64_t at = 0;
  std::string error;  // the first one
};

Source& source_of(thandle_t handle) { return *static_cast<Source*>(handle); }

tmsize_t on_read(thandle_t handle, void* out, tmsize_t size) {
  Source& source = source_of(handle);
  if (size <= 0 || source.at >= source.file.size()) return 0;
  const std::size_t count =
      std::min(static_cast<std::size_t>(size), source.file.size() - static_cast<std::size_t>(source.at));
  std::memcpy(out, source.file.data() + source.at, count);
  source.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t on_write(thandle_t, void*, tmsize_t) { return 0; }

toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
  Source& source = source_of(handle);
  source.at = offset + (whence == SEEK_CUR ? source.at : whence == SEEK_END ? source.file.size() : 0);
  return source.at;
}

int on_close(thandle_t) { return 0; }
toff_t on_size(thandle_t handle) { return source_of(handle).file.size(); }

int on_error(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  std::string& error = static_cast<Source*>(user)->error;
  if (error.empty()) {
    char text[256];
    std::vsnprintf(text, sizeof text, format, arguments);
    error = text;
  }
  return 1;  // handled: nothing goes to the global handler
}

int on_warning(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct Close {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
  void operator()(TIFFOpenOptions* options) const { TIFFOpenOptionsFree(options); }
};
using Tiff = std::unique_ptr<TIFF, Close>;

Tiff open(Source& source, std::uint64_t max_pixels) {
  const std::unique_ptr<TIFFOpenOptions, Close> options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  // No block of memory is larger than a picture with eight bytes a pixel: a directory cannot ask for more.
  const std::uint64_t room =
      std::min<std::uint64_t>(max_pixels, std::uint64_t{1} << 40) * 8 + (std::uint64_t{64} << 20);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(room));
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, nullptr);
  return Tiff(TIFFClientOpenExt("picture", "rm", &source, on_read, on_write, on_seek, on_close, on_size, nullptr,
                                nullptr, options.get()));
}

[[noreturn]] void fail(const Source& source, std::string_view otherwise) {
  for (const char* text : {"Out of memory", "allocate memory", "No space for"})
    if (source.error.find(text) != std::string::npos) throw std::bad_alloc();
  damaged("TIFF", source.error.empty() ? otherwise : source.error);
}

/// Every strip or tile must lie inside the file.
void check_blocks(TIFF* tiff, std::uint64_t file_size) {
  const std::uint32_t blocks = TIFFIsTiled(tiff) ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  for (std::uint32_t i = 0; i < blocks; ++i) {
    const std::uint64_t offset = TIFFGetStrileOffset(tiff, i), size = TIFFGetStrileByteCount(tiff, i);
    if (offset == 0 || size == 0) damaged("TIFF", fmt::format("block {} of {} is missing", i + 1, blocks));
    if (offset > file_size || size > file_size - offset) {
      truncated("TIFF",
                fmt::format("block {} of {} ends at byte {}, the file at {}", i + 1, blocks, offset + size, file_size));
    }
  }
}

enum class AlphaKind { none, plain, premultiplied };

/// What the fourth sample is. Plain alpha is declared premultiplied to libtiff, which then leaves colours alone.
AlphaKind take_alpha(TIFF* tiff) {
  std::uint16_t count = 0, photometric = 0;
  std::uint16_t* types = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &count, &types);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &photometric);
  if (count == 0 || photometric == PHOTOMETRIC_PALETTE || photometric == PHOTOMETRIC_SEPARATED) return AlphaKind::none;
  if (types[0] == EXTRASAMPLE_ASSOCALPHA) return AlphaKind::premultiplied;
  if (types[0] != EXTRASAMPLE_UNASSALPHA) return AlphaKind::none;
  std::vector<std::uint16_t> changed(types, types + count);
  changed[0] = EXTRASAMPLE_ASSOCALPHA;
  TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, count, changed.data());
  return AlphaKind::plain;
}

void unpremultiply(Picture& picture) {
  std::uint8_t* pixel = picture.data.get();
  for (std::size_t i = 0; i < picture.pixels(); ++i, pixel += 4) {
    if (pixel[3] == 0 || pixel[3] == 255) continue;
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(std::min(255u, pixel[c] * 255u / pixel[3]));
  }
}

/// 16-bit grey by strips or tiles: libtiff's RGBA interface would cut the lower byte off instead of rounding.
void read_grey16(TIFF* tiff, Picture& picture, bool inverted) {
  const bool tiled = TIFFIsTiled(tiff);
  std::uint32_t block_width = static_cast<std::uint32_t>(picture.width), block_height = 0;
  if (tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &block_height);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &block_height);
    block_height = std::min(block_height, static_cast<std::uint32_t>(picture.height));
  }
  if (block_width == 0 || block_height == 0) damaged("TIFF", "blocks of no size");
  const std::uint64_t samples = std::uint64_t{block_width} * block_height;
  if (static_cast<std::uint64_t>(tiled ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff)) != samples * 2) {
    unsupported("TIFF", "16-bit grey in blocks of an unknown layout");
  }
  std::vector<std::uint16_t> block(static_cast<std::size_t>(samples));
  const std::uint32_t across = (static_cast<std::uint32_t>(picture.width) + block_width - 1) / block_width;
  const std::uint32_t blocks = tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  for (std::uint32_t i = 0; i < blocks; ++i) {
    const std::int64_t left = std::int64_t{i % across} * block_width, top = std::int64_t{i / across} * block_height;
    const int rows = static_cast<int>(std::clamp<std::int64_t>(picture.height - top, 0, block_height));
    const int columns = static_cast<int>(std::min<std::int64_t>(picture.width - left, block_width));
    const tmsize_t wanted = static_cast<tmsize_t>(2) * block_width * (tiled ? static_cast<int>(block_height) : rows);
    const tmsize_t got = tiled ? TIFFReadEncodedTile(tiff, i, block.data(), wanted)
                               : TIFFReadEncodedStrip(tiff, i, block.data(), wanted);
    if (got != wanted) damaged("TIFF", fmt::format("block {} of {} cannot be decoded", i + 1, blocks));
    for (int y = 0; y < rows; ++y) {
      std::uint8_t* pixel = picture.row(static_cast<int>(top) + y) + left * 3;
      for (int x = 0; x < columns; ++x, pixel += 3) {
        const unsigned value = block[static_cast<std::size_t>(y) * block_width + static_cast<std::size_t>(x)];
        std::memset(pixel, static_cast<int>(((inverted ? 65535 - value : value) + 128) / 257), 3);
      }
    }
  }
}

}  // namespace

Picture decode_tiff(Bytes file, std::uint64_t max_pixels) {
  Source source{file, 0, {}};
  const Tiff tiff = open(source, max_pixels);
  if (!tiff) fail(source, "its directory cannot be read");
  std::uint32_t width = 0, height = 0;
  std::uint16_t bits = 1, samples = 1, photometric = 0, format = SAMPLEFORMAT_UINT;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_BITSPERSAMPLE, &bits);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetField(tiff.get(), TIFFTAG_PHOTOMETRIC, &photometric);
  if (format != SAMPLEFORMAT_UINT) unsupported("TIFF", "signed or floating-point samples; only unsigned ones are read");
  check_blocks(tiff.get(), file.size());

  const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  if (grey && bits == 16 && samples == 1) {
    Picture picture = make_picture(width, height, 3, max_pixels);
    read_grey16(tiff.get(), picture, photometric == PHOTOMETRIC_MINISWHITE);
    if (!source.error.empty()) fail(source, {});
    return picture;
  }

  Picture picture = make_picture(width, height, 4, max_pixels);
  const AlphaKind alpha = take_alpha(tiff.get());
  TIFFSetField(tiff.get(), TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);  // it is applied later, with everybody else's
  char why[1024] = "";
  if (!TIFFRGBAImageOK(tiff.get(), why)) unsupported("TIFF", why);
  auto* raster = reinterpret_cast<std::uint32_t*>(picture.data.get());  // R, G, B, A from the lowest byte up
  const int done = TIFFReadRGBAImageOriented(tiff.get(), width, height, raster, ORIENTATION_TOPLEFT, 1);
  if (!done || !source.error.empty()) fail(source, "its pixels cannot be decoded");
  if (alpha == AlphaKind::none) drop_fourth(picture);
  if (alpha == AlphaKind::premultiplied) unpremultiply(picture);
  return picture;
}

}  // namespace cbir::codecs
