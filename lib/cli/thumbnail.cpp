#include "thumbnail.hpp"

#include <algorithm>
#include <cmath>

#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <cbir/image/resize.hpp>

namespace cbir {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 30;

int scaled(int length, double scale) { return std::max(1, static_cast<int>(std::lround(length * scale))); }

}  // namespace

Thumbnail make_thumbnail(const std::string& path, const ThumbnailOptions& options) {
  Thumbnail thumbnail;
  try {
    Image image = decode_image(read_file(find_picture(path), kMaxFileBytes), options.decode);
    const double scale = static_cast<double>(options.side) / std::max(image.width, image.height);
    if (scale < 1) image = resize(image, scaled(image.width, scale), scaled(image.height, scale), Filter::bicubic);
    thumbnail.jpeg = encode_jpeg(image, options.quality);
    thumbnail.width = image.width;
    thumbnail.height = image.height;
  } catch (const Error& error) {
    thumbnail.problem = error.what();
    // The name stands beside the box already.
    const std::string name = display_path(path) + ": ";
    if (thumbnail.problem.starts_with(name)) thumbnail.problem.erase(0, name.size());
  }
  return thumbnail;
}

}  // namespace cbir
