/// The C boundary: no exception crosses it.
#include <cstdio>
#include <new>

#include <cbir/image/codec_plugin.h>

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
  const auto fail = [&](ExitCode code, const char* why) {
    std::snprintf(message, message_size, "%s", why);
    // Libraries quote what they found in the file, and some write several lines: one printable line leaves here.
    for (char* c = message; *c; ++c) {
      if (*c < ' ' || *c > '~') *c = *c == '\n' ? ' ' : '?';
    }
    return static_cast<int>(code);
  };
  try {
    Picture picture = decode_any(static_cast<ImageFormat>(format), std::as_bytes(std::span(file, size)), max_pixels);
    *out = {picture.width, picture.height, picture.channels, picture.data.release()};
    return 0;
  } catch (const Error& error) {
    return fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::resource, "out of memory");
  } catch (const std::exception& error) {
    return fail(ExitCode::internal, error.what());
  } catch (...) {
    return fail(ExitCode::internal, "an unknown exception in the codec plug-in");
  }
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
