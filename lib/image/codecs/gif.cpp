/// The first frame of a GIF through giflib.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "codec.hpp"

namespace cbir::codecs {
namespace {

int on_read(GifFileType* gif, GifByteType* out, int size) {
  auto& rest = *static_cast<Bytes*>(gif->UserData);
  const std::size_t count = std::min(static_cast<std::size_t>(size), rest.size());
  std::memcpy(out, rest.data(), count);
  rest = rest.subspan(count);
  return static_cast<int>(count);
}

struct Close {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, Close>;

[[noreturn]] void fail(int error) {
  if (error == D_GIF_ERR_NOT_ENOUGH_MEM) throw std::bad_alloc();
  const char* text = GifErrorString(error);
  const std::string why = text ? text : "unknown error";
  if (error == D_GIF_ERR_READ_FAILED || error == D_GIF_ERR_EOF_TOO_SOON) truncated("GIF", why);
  damaged("GIF", why);
}

/// Reads an extension to its end; returns the transparent index if it is a graphic control block, else `transparent`.
int read_extension(GifFileType& gif, int transparent) {
  int label = 0;
  GifByteType* block = nullptr;
  if (DGifGetExtension(&gif, &label, &block) == GIF_ERROR) fail(gif.Error);
  while (block) {  // a length, then so many bytes
    if (label == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4 && (block[1] & 1)) transparent = block[4];
    if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) fail(gif.Error);
  }
  return transparent;
}

/// The pixels of the frame that was just announced, as indices, rows in order.
std::vector<GifByteType> read_indices(GifFileType& gif) {
  const int width = gif.Image.Width, height = gif.Image.Height;
  std::vector<GifByteType> indices(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  const auto read_row = [&](int y) {
    GifByteType* row = indices.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    if (DGifGetLine(&gif, row, width) == GIF_ERROR) fail(gif.Error);
  };
  static constexpr int kPasses[][2] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
  if (gif.Image.Interlace) {
    for (const auto& [first, step] : kPasses) {
      for (int y = first; y < height; y += step) read_row(y);
    }
  } else {
    for (int y = 0; y < height; ++y) read_row(y);
  }
  return indices;
}

/// Walks what follows the first frame up to the trailer, so that a file cut short is noticed. Anything but an early end
/// is the later frames' business.
void check_rest(GifFileType& gif) {
  for (GifRecordType record = UNDEFINED_RECORD_TYPE; record != TERMINATE_RECORD_TYPE;) {
    if (DGifGetRecordType(&gif, &record) == GIF_ERROR) {
      if (gif.Error == D_GIF_ERR_READ_FAILED) fail(gif.Error);
      return;
    }
    if (record == EXTENSION_RECORD_TYPE) read_extension(gif, NO_TRANSPARENT_COLOR);
    if (record != IMAGE_DESC_RECORD_TYPE) continue;
    if (DGifGetImageHeader(&gif) == GIF_ERROR) fail(gif.Error);
    int code_size = 0;
    GifByteType* block = nullptr;
    if (DGifGetCode(&gif, &code_size, &block) == GIF_ERROR) fail(gif.Error);
    while (block) {
      if (DGifGetCodeNext(&gif, &block) == GIF_ERROR) fail(gif.Error);
    }
  }
}

/// Places the frame on the screen as Pillow does: around it lies the transparent colour, or else the first one.
Picture paint(const GifFileType& gif, const std::vector<GifByteType>& indices, int transparent,
              std::uint64_t max_pixels) {
  const GifImageDesc& frame = gif.Image;
  const ColorMapObject* map = frame.ColorMap ? frame.ColorMap : gif.SColorMap;
  Picture picture = make_picture(static_cast<std::uint64_t>(std::max(gif.SWidth, frame.Left + frame.Width)),
                                 static_cast<std::uint64_t>(std::max(gif.SHeight, frame.Top + frame.Height)),
                                 transparent == NO_TRANSPARENT_COLOR ? 3 : 4, max_pixels);
  const auto put = [&](std::uint8_t* pixel, int index) {
    GifColorType colour{};
    if (!map)
      colour = {static_cast<GifByteType>(index), static_cast<GifByteType>(index), static_cast<GifByteType>(index)};
    else if (index < map->ColorCount) colour = map->Colors[index];
    pixel[0] = colour.Red, pixel[1] = colour.Green, pixel[2] = colour.Blue;
    if (transparent != NO_TRANSPARENT_COLOR) pixel[3] = index == transparent ? 0 : 255;
  };
  for (int y = 0; y < picture.height; ++y) {
    std::uint8_t* pixel = picture.row(y);
    const std::int64_t frame_y = y - frame.Top;
    for (int x = 0; x < picture.width; ++x, pixel += picture.channels) {
      const std::int64_t frame_x = x - frame.Left;
      const bool inside = frame_y >= 0 && frame_y < frame.Height && frame_x >= 0 && frame_x < frame.Width;
      put(pixel, inside ? indices[static_cast<std::size_t>(frame_y * frame.Width + frame_x)]
                 : transparent == NO_TRANSPARENT_COLOR ? 0
                                                       : transparent);
    }
  }
  return picture;
}

}  // namespace

Picture decode_gif(Bytes file, std::uint64_t max_pixels) {
  int error = 0;
  const Gif gif(DGifOpen(&file, on_read, &error));
  if (!gif) fail(error);
  int transparent = NO_TRANSPARENT_COLOR;
  for (;;) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif.get(), &record) == GIF_ERROR) fail(gif->Error);
    if (record == TERMINATE_RECORD_TYPE) damaged("GIF", "it holds no picture");
    if (record == EXTENSION_RECORD_TYPE) transparent = read_extension(*gif, transparent);
    if (record == IMAGE_DESC_RECORD_TYPE) break;
  }
  if (DGifGetImageDesc(gif.get()) == GIF_ERROR) fail(gif->Error);
  if (gif->Image.Width < 1 || gif->Image.Height < 1) damaged("GIF", "its first frame is empty");
  const auto screen = static_cast<std::uint64_t>(gif->Image.Width) * static_cast<std::uint64_t>(gif->Image.Height);
  if (screen > max_pixels)
    throw ImageError(ExitCode::resource,
                     fmt::format("a frame of {} pixels is beyond the limit of {}", screen, max_pixels));
  const std::vector<GifByteType> indices = read_indices(*gif);
  Picture picture = paint(*gif, indices, transparent, max_pixels);
  check_rest(*gif);
  return picture;
}

}  // namespace cbir::codecs
