/// libjpeg reports errors by a callback that must not return. Each call into it that may fail sits in a function of its
/// own that holds nothing with a destructor, so that longjmp skips none.
#include "jpeg.hpp"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
//
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <memory>
#include <new>

namespace cbir {
namespace {

/// A progressive file of a few KB can ask for thousands of passes over the whole picture; encoders write about ten.
constexpr int kMaxScans = 500;

struct ErrorState {
  jpeg_error_mgr manager{};  // first: libjpeg hands back its address
  std::jmp_buf jump{};
  char message[JMSG_LENGTH_MAX]{};
  bool accept_truncated = false;
  bool truncated = false;
  bool no_memory = false;
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* state = reinterpret_cast<ErrorState*>(info->err);
  state->manager.format_message(info, state->message);
  state->no_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  std::longjmp(state->jump, 1);
}

/// libjpeg goes on after a warning with whatever it has. A warning means pixels that are missing or wrong, and is an
/// error here, unless it is one of those below, which Pillow rightly ignores too.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // a trace
  auto* state = reinterpret_cast<ErrorState*>(info->err);
  switch (info->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:  // bytes too many before a marker
    case JWRN_NOT_SEQUENTIAL:   // scan parameters that a sequential file has no use for
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_BOGUS_ICC:
      return;
    case JWRN_JPEG_EOF:
      state->truncated = true;
      if (state->accept_truncated) return;
      break;
    case JWRN_HIT_MARKER:  // which libjpeg puts where the file ends
      if (state->truncated) return;
      break;
    default:
      break;
  }
  leave(info);
}

void set_up(ErrorState& state, jpeg_common_struct* info) {
  info->err = jpeg_std_error(&state.manager);
  state.manager.error_exit = leave;
  state.manager.emit_message = on_message;
}

void on_progress(j_common_ptr info) {
  if (!info->is_decompressor) return;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    auto* state = reinterpret_cast<ErrorState*>(info->err);
    std::snprintf(state->message, sizeof state->message, "more than %d scans", kMaxScans);
    std::longjmp(state->jump, 1);
  }
}

class Decompressor {
 public:
  Decompressor() { set_up(errors, reinterpret_cast<jpeg_common_struct*>(&info)); }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  jpeg_decompress_struct info{};
  ErrorState errors;
  jpeg_progress_mgr progress{};
};

bool start(Decompressor& jpeg, const unsigned char* data, std::size_t size) {
  if (setjmp(jpeg.errors.jump)) return false;
  jpeg_create_decompress(&jpeg.info);
  jpeg.progress.progress_monitor = on_progress;
  jpeg.info.progress = &jpeg.progress;
  jpeg_mem_src(&jpeg.info, data, static_cast<unsigned long>(size));
  jpeg_read_header(&jpeg.info, TRUE);
  jpeg.info.out_color_space = jpeg.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&jpeg.info);
  return true;
}

/// Reads all rows to `out`, `stride` bytes apart, and on to the end-of-image marker.
bool read_rows(Decompressor& jpeg, unsigned char* out, std::size_t stride) {
  if (setjmp(jpeg.errors.jump)) return false;
  while (jpeg.info.output_scanline < jpeg.info.output_height) {
    JSAMPROW rows[16];
    const unsigned first = jpeg.info.output_scanline;
    for (unsigned i = 0; i < 16; ++i) rows[i] = out + (first + i) * stride;
    const unsigned left = jpeg.info.output_height - first;
    jpeg_read_scanlines(&jpeg.info, rows, left < 16 ? left : 16);
  }
  jpeg_finish_decompress(&jpeg.info);
  return true;
}

[[noreturn]] void fail(const ErrorState& state) {
  if (state.no_memory) throw std::bad_alloc();
  if (state.truncated) throw ImageError(ExitCode::damaged, fmt::format("truncated JPEG: {}", state.message));
  throw ImageError(ExitCode::damaged, fmt::format("damaged JPEG: {}", state.message));
}

/// Adobe's programs store CMYK inverted and everybody follows, so that, like Pillow, every four-component file is taken
/// as inverted. The arithmetic is Pillow's.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t pixels, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const unsigned white = cmyk[3];  // 255 - K
    for (int c = 0; c < 3; ++c) {
      const unsigned product = (255u - cmyk[c]) * white + 128;
      const unsigned ink = ((product >> 8) + product) >> 8;
      rgb[c] = static_cast<std::uint8_t>(white > ink ? white - ink : 0);
    }
  }
}

class Compressor {
 public:
  Compressor() { set_up(errors, reinterpret_cast<jpeg_common_struct*>(&info)); }
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(out);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  jpeg_compress_struct info{};
  ErrorState errors;
  unsigned char* out = nullptr;
  unsigned long size = 0;
};

bool compress(Compressor& jpeg, const Image& image, int quality) {
  if (setjmp(jpeg.errors.jump)) return false;
  jpeg_create_compress(&jpeg.info);
  jpeg_mem_dest(&jpeg.info, &jpeg.out, &jpeg.size);
  jpeg.info.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.info.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.info.input_components = 3;
  jpeg.info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg.info);
  jpeg_set_quality(&jpeg.info, quality, TRUE);
  jpeg_start_compress(&jpeg.info, TRUE);
  while (jpeg.info.next_scanline < jpeg.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(jpeg.info.next_scanline)));  // libjpeg only reads it
    jpeg_write_scanlines(&jpeg.info, &row, 1);
  }
  jpeg_finish_compress(&jpeg.info);
  return true;
}

}  // namespace

Image decode_jpeg(Bytes file, const ImageProbe& probe, bool accept_truncated) {
  Decompressor jpeg;
  jpeg.errors.accept_truncated = accept_truncated;
  if (!start(jpeg, reinterpret_cast<const unsigned char*>(file.data()), file.size())) fail(jpeg.errors);
  if (static_cast<int>(jpeg.info.output_width) != probe.width ||
      static_cast<int>(jpeg.info.output_height) != probe.height) {
    throw ImageError(ExitCode::damaged, "damaged JPEG: it has two frame headers that disagree");
  }
  Image image(probe.width, probe.height);
  const std::size_t row_pixels = static_cast<std::size_t>(probe.width);
  if (jpeg.info.output_components == 3) {
    if (!read_rows(jpeg, image.data.data(), row_pixels * 3)) fail(jpeg.errors);
    return image;
  }
  const std::size_t pixels = row_pixels * static_cast<std::size_t>(probe.height);
  const auto cmyk = std::make_unique_for_overwrite<std::uint8_t[]>(pixels * 4);
  if (!read_rows(jpeg, cmyk.get(), row_pixels * 4)) fail(jpeg.errors);
  cmyk_to_rgb(cmyk.get(), pixels, image.data.data());
  return image;
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  if (image.width < 1 || image.height < 1 || image.width > JPEG_MAX_DIMENSION || image.height > JPEG_MAX_DIMENSION) {
    throw UsageError(fmt::format("a picture of {} x {} cannot be a JPEG: sides are 1 to {}", image.width, image.height,
                                 JPEG_MAX_DIMENSION));
  }
  if (quality < 1 || quality > 100) throw UsageError(fmt::format("JPEG quality {} is not within 1 to 100", quality));
  Compressor jpeg;
  if (!compress(jpeg, image, quality))
    throw ImageError(ExitCode::internal, fmt::format("JPEG not written: {}", jpeg.errors.message));
  const auto* bytes = reinterpret_cast<const std::byte*>(jpeg.out);
  return {bytes, bytes + jpeg.size};
}

}  // namespace cbir
