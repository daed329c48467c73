/// PNG through libpng. Errors leave by longjmp, so the functions that call setjmp hold nothing with a destructor.
#include <csetjmp>
#include <cstdio>
#include <cstring>
//
#include <png.h>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

struct Reader {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes rest;
  bool truncated = false;
  char message[256] = "";
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
  std::snprintf(reader->message, sizeof reader->message, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep out, std::size_t size) {
  auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (size > reader->rest.size()) {
    reader->truncated = true;
    png_error(png, "it ends before its IEND chunk");
  }
  std::memcpy(out, reader->rest.data(), size);
  reader->rest = reader->rest.subspan(size);
}

/// Sets libpng to deliver 8-bit RGB or RGBA: palettes and transparency expanded, 16 bits as round(value / 257).
bool read_header(Reader& reader, int& passes) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &reader, on_read);
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the pixels were counted already
  // Chunks that say nothing about pixels as Pillow reads them need no parsing.
  static const png_byte kIgnored[] =
      "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, kIgnored, static_cast<int>(sizeof kIgnored / 5));
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);
  png_set_scale_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_rows(Reader& reader, int passes, png_bytep data, std::size_t stride, unsigned height) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  for (int pass = 0; pass < passes; ++pass) {
    for (unsigned y = 0; y < height; ++y) png_read_row(reader.png, data + y * stride, nullptr);
  }
  png_read_end(reader.png, nullptr);  // checks what follows the pixels, up to IEND
  // IEND is empty, so its checksum, which was read last, is always this. New versions of libpng (1.6.48 is one) only
  // warn if it is not.
  static constexpr png_byte kEndChecksum[] = {0xAE, 0x42, 0x60, 0x82};
  if (std::memcmp(reader.rest.data() - sizeof kEndChecksum, kEndChecksum, sizeof kEndChecksum) != 0)
    png_error(reader.png, "IEND: CRC error");
  return true;
}

[[noreturn]] void fail(const Reader& reader) {
  if (reader.truncated) truncated("PNG", reader.message);
  for (const char* text : {"Out of memory", "out of memory", "insufficient memory"})  // libpng's and zlib's
    if (std::strstr(reader.message, text)) throw std::bad_alloc();
  damaged("PNG", reader.message);
}

}  // namespace

Picture decode_png(Bytes file, std::uint64_t max_pixels) {
  Reader reader;
  reader.rest = file;
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  if (reader.png) reader.info = png_create_info_struct(reader.png);
  if (!reader.info) throw std::bad_alloc();
  int passes = 1;
  if (!read_header(reader, passes)) fail(reader);
  const unsigned height = png_get_image_height(reader.png, reader.info);
  Picture picture = make_picture(png_get_image_width(reader.png, reader.info), height,
                                 png_get_channels(reader.png, reader.info), max_pixels);
  const std::size_t stride = picture.pixels() / height * static_cast<std::size_t>(picture.channels);
  if (png_get_rowbytes(reader.png, reader.info) != stride) unsupported("PNG", "an unknown kind of pixels");
  if (!read_rows(reader, passes, picture.data.get(), stride, height)) fail(reader);
  return picture;
}

}  // namespace cbir::codecs
