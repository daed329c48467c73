/// WebP, still or the first frame of an animation on its canvas, through libwebp's animation decoder (as Pillow does).
#include <webp/decode.h>
#include <webp/demux.h>

#include <cstring>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

struct Delete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

/// The whole RIFF chunk must be here; libwebp itself would deliver the first rows of what it has.
void check_length(Bytes file) {
  std::uint32_t length = 0;  // the caller saw a whole header
  std::memcpy(&length, file.data() + 4, sizeof length);
  const std::uint64_t size = std::uint64_t{length} + 8;
  if (size > file.size()) truncated("WebP", fmt::format("{} of {} bytes", file.size(), size));
}

}  // namespace

Picture decode_webp(Bytes file, std::uint64_t max_pixels) {
  check_length(file);
  const WebPData data{reinterpret_cast<const std::uint8_t*>(file.data()), file.size()};
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK) damaged("WebP", "its header makes no sense");
  Picture picture = make_picture(static_cast<std::uint64_t>(features.width),
                                 static_cast<std::uint64_t>(features.height), 4, max_pixels);

  WebPAnimDecoderOptions options;
  if (!WebPAnimDecoderOptionsInit(&options))
    unsupported("WebP", "libwebpdemux is of another version than the one built with");
  options.color_mode = MODE_RGBA;
  options.use_threads = 0;
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, &options));
  if (!decoder) damaged("WebP", "its chunks make no sense");
  WebPAnimInfo info;
  std::uint8_t* frame = nullptr;
  int timestamp = 0;
  if (!WebPAnimDecoderGetInfo(decoder.get(), &info)) damaged("WebP", "its chunks make no sense");
  if (static_cast<int>(info.canvas_width) != picture.width || static_cast<int>(info.canvas_height) != picture.height) {
    damaged("WebP", "its chunks disagree about its size");
  }
  if (!WebPAnimDecoderGetNext(decoder.get(), &frame, &timestamp)) damaged("WebP", "its pixels cannot be decoded");
  std::memcpy(picture.data.get(), frame, picture.pixels() * 4);
  if (!features.has_alpha) drop_fourth(picture);
  return picture;
}

}  // namespace cbir::codecs
