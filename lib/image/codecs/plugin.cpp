/// The C boundary: no exception crosses it.
#include <cbir/image/codec_plugin.h>
#include <cbir/base/boundary.hpp>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

Picture decode_any(ImageFormat format, Bytes file, std::uint64_t max_pixels) {
  switch (format) {
    case ImageFormat::png:
      return decode_png(file, max_pixels);
    case ImageFormat::gif:
      return decode_gif(file, max_pixels);
    case ImageFormat::webp:
      return decode_webp(file, max_pixels);
    case ImageFormat::tiff:
      return decode_tiff(file, max_pixels);
    case ImageFormat::bmp:
      return decode_bmp(file, max_pixels);
    case ImageFormat::heif:
      return decode_heif(file, max_pixels, "HEIF");
    case ImageFormat::avif:
      return decode_heif(file, max_pixels, "AVIF");
    case ImageFormat::pnm:
      return decode_pnm(file, max_pixels);
    case ImageFormat::jpeg:
      break;
  }
  throw ImageError(ExitCode::internal, "the codec plug-in does not read this format");
}

int decode(int format, const uint8_t* file, size_t size, uint64_t max_pixels, cbir_pixels* out, char* message,
           size_t message_size) {
  const int code = guarded(message, message_size, [&] {
    Picture picture = decode_any(static_cast<ImageFormat>(format), std::as_bytes(std::span(file, size)), max_pixels);
    *out = {picture.width, picture.height, picture.channels, picture.data.release()};
  });
  if (code == 0) return 0;
  // Libraries quote what they found in the file, and some write several lines: one printable line leaves here.
  for (char* c = message; *c; ++c) {
    if (*c < ' ' || *c > '~') *c = *c == '\n' ? ' ' : '?';
  }
  return code;
}

void release(cbir_pixels* pixels) {
  std::free(pixels->data);
  pixels->data = nullptr;
}

}  // namespace
}  // namespace cbir::codecs

extern "C" __attribute__((visibility("default"))) const cbir_codec_api* cbir_codec_plugin(void) {
  static const cbir_codec_api api = {CBIR_CODEC_ABI, cbir::codecs::decode, cbir::codecs::release};
  return &api;
}
