/* The C boundary between the image module and the codec plug-in (libcbir_codecs.so), which links libpng, libtiff,
 * giflib, libwebp and libheif with its video codecs: libraries that a program which only meets JPEGs, or no pictures at
 * all, must not pay for. The plug-in exports one function, cbir_codec_plugin. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CBIR_CODEC_ABI 1u

/* Pixels as the codec delivers them, before orientation and before alpha is dealt with. */
typedef struct cbir_pixels {
  int32_t width, height;
  int32_t channels; /* 3: RGB, 4: RGBA, not premultiplied */
  uint8_t* data;    /* width * height * channels bytes; freed with release() */
} cbir_pixels;

typedef struct cbir_codec_api {
  uint32_t abi; /* CBIR_CODEC_ABI */
  /* `format` is an enumerator of cbir::ImageFormat. The dimensions were checked by the caller and must be met.
   * Returns 0 and fills `out`, or an exit code of cbir::ExitCode with the reason in `message`. */
  int (*decode)(int format, const uint8_t* file, size_t size, uint64_t max_pixels, cbir_pixels* out, char* message,
                size_t message_size);
  void (*release)(cbir_pixels* pixels);
} cbir_codec_api;

const cbir_codec_api* cbir_codec_plugin(void);

#ifdef __cplusplus
}
#endif
