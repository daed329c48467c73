/// HEIC and AVIF through libheif, which applies rotation, mirroring and cropping itself. On damaged AV1 data libdav1d
/// writes a line to standard error, which libheif offers no means to stop.
#include <libheif/heif.h>

#include <algorithm>
#include <cstring>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

struct Delete {
  void operator()(heif_context* context) const { heif_context_free(context); }
  void operator()(heif_image_handle* handle) const { heif_image_handle_release(handle); }
  void operator()(heif_image* image) const { heif_image_release(image); }
};

void check(const heif_error& error, std::string_view format) {
  if (error.code == heif_error_Ok) return;
  const char* why = error.message && *error.message ? error.message : "unknown error";
  if (error.code == heif_error_Unsupported_filetype || error.code == heif_error_Unsupported_feature)
    unsupported(format, why);
  if (error.subcode == heif_suberror_End_of_data) truncated(format, why);
  if (error.code == heif_error_Memory_allocation_error) throw std::bad_alloc();
  damaged(format, why);
}

/// Premultiplied pictures are rare but legal; the plug-in delivers plain alpha.
void unpremultiply(Picture& picture) {
  std::uint8_t* pixel = picture.data.get();
  for (std::size_t i = 0; i < picture.pixels(); ++i, pixel += 4) {
    if (pixel[3] == 0 || pixel[3] == 255) continue;
    for (int c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>(std::min(255u, pixel[c] * 255u / pixel[3]));
  }
}

}  // namespace

Picture decode_heif(Bytes file, std::uint64_t max_pixels, std::string_view format) {
  const std::unique_ptr<heif_context, Delete> context(heif_context_alloc());
  if (!context) throw std::bad_alloc();
  heif_context_set_max_decoding_threads(context.get(), 0);
  check(heif_context_read_from_memory_without_copy(context.get(), file.data(), file.size(), nullptr), format);
  heif_image_handle* raw_handle = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &raw_handle), format);
  const std::unique_ptr<heif_image_handle, Delete> handle(raw_handle);
  const bool alpha = heif_image_handle_has_alpha_channel(handle.get());
  Picture picture =
      make_picture(static_cast<std::uint64_t>(heif_image_handle_get_width(handle.get())),
                   static_cast<std::uint64_t>(heif_image_handle_get_height(handle.get())), alpha ? 4 : 3, max_pixels);

  heif_image* raw_image = nullptr;
  check(heif_decode_image(handle.get(), &raw_image, heif_colorspace_RGB,
                          alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, nullptr),
        format);
  const std::unique_ptr<heif_image, Delete> image(raw_image);
  int stride = 0;
  const std::uint8_t* plane = heif_image_get_plane_readonly(image.get(), heif_channel_interleaved, &stride);
  if (!plane || heif_image_get_width(image.get(), heif_channel_interleaved) != picture.width ||
      heif_image_get_height(image.get(), heif_channel_interleaved) != picture.height) {
    damaged(format, "its pixels are not as many as its header says");
  }
  for (int y = 0; y < picture.height; ++y) {
    std::memcpy(picture.row(y), plane + static_cast<std::ptrdiff_t>(y) * stride,
                static_cast<std::size_t>(picture.width * picture.channels));
  }
  if (alpha && heif_image_is_premultiplied_alpha(image.get())) unpremultiply(picture);
  return picture;
}

}  // namespace cbir::codecs
