#pragma once
/// What the readers of the plug-in share. They throw ImageError, and std::bad_alloc where a library says that there was
/// no memory, which plugin.cpp turns into a status.

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <cbir/base/bytes.hpp>
#include <cbir/image/image.hpp>

namespace cbir::codecs {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

/// Interleaved RGB or RGBA (not premultiplied), rows without gaps.
struct Picture {
  int width = 0, height = 0, channels = 3;
  std::unique_ptr<std::uint8_t[], Free> data;

  std::size_t pixels() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }
  std::uint8_t* row(int y) {
    return data.get() +
           static_cast<std::size_t>(y) * static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
};

/// Zeroed, so that nothing unwritten ever shows. Throws ImageError (resource) beyond max_pixels.
inline Picture make_picture(std::uint64_t width, std::uint64_t height, int channels, std::uint64_t max_pixels) {
  constexpr std::uint64_t kMaxSide = std::numeric_limits<int>::max();
  if (width == 0 || height == 0) throw ImageError(ExitCode::damaged, "damaged picture: a side of 0 pixels");
  if (width > kMaxSide || height > kMaxSide || width > max_pixels / height) {
    throw ImageError(ExitCode::resource,
                     fmt::format("{} x {} pixels are more than the limit of {}", width, height, max_pixels));
  }
  Picture picture{static_cast<int>(width), static_cast<int>(height), channels, nullptr};
  picture.data.reset(static_cast<std::uint8_t*>(std::calloc(picture.pixels(), static_cast<std::size_t>(channels))));
  if (!picture.data) throw std::bad_alloc();
  return picture;
}

/// RGBA to RGB in place, for pictures that turn out to be opaque.
inline void drop_fourth(Picture& picture) {
  std::uint8_t* data = picture.data.get();
  for (std::size_t i = 0; i < picture.pixels(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) data[i * 3 + c] = data[i * 4 + c];
  }
  picture.channels = 3;
}

[[noreturn]] inline void damaged(std::string_view format, std::string_view why) {
  throw ImageError(ExitCode::damaged, fmt::format("damaged {}: {}", format, why));
}
[[noreturn]] inline void truncated(std::string_view format, std::string_view why) {
  throw ImageError(ExitCode::damaged, fmt::format("truncated {}: {}", format, why));
}
[[noreturn]] inline void unsupported(std::string_view format, std::string_view why) {
  throw ImageError(ExitCode::incompatible, fmt::format("unsupported {}: {}", format, why));
}

Picture decode_bmp(Bytes file, std::uint64_t max_pixels);
Picture decode_gif(Bytes file, std::uint64_t max_pixels);
Picture decode_heif(Bytes file, std::uint64_t max_pixels, std::string_view format);
Picture decode_png(Bytes file, std::uint64_t max_pixels);
Picture decode_pnm(Bytes file, std::uint64_t max_pixels);
Picture decode_tiff(Bytes file, std::uint64_t max_pixels);
Picture decode_webp(Bytes file, std::uint64_t max_pixels);

}  // namespace cbir::codecs
