#include <algorithm>
#include <cstring>

#include <cbir/image/image.hpp>

namespace cbir {

Image crop(const Image& image, const PixelBox& box) {
  Image out(box.right - box.left, box.bottom - box.top);
  for (int y = 0; y < out.height; ++y)
    std::copy_n(image.row(box.top + y) + box.left * std::ptrdiff_t{3}, static_cast<std::size_t>(out.width) * 3,
                out.row(y));
  return out;
}

Image apply_orientation(const Image& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // TIFF 6.0: 2 mirrored, 3 half a turn, 4 flipped, 5 transposed, 6 a quarter turn clockwise to be upright,
  // 7 transposed along the other diagonal, 8 a quarter turn counter-clockwise.
  const bool swapped = orientation >= 5;
  const bool mirror_x =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;  // of the stored one
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out(swapped ? image.height : image.width, swapped ? image.width : image.height);
  for (int y = 0; y < out.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x, to += 3) {
      const int stored_x = swapped ? y : x, stored_y = swapped ? x : y;
      const std::uint8_t* row = image.row(mirror_y ? image.height - 1 - stored_y : stored_y);
      std::memcpy(to, row + (mirror_x ? image.width - 1 - stored_x : stored_x) * std::ptrdiff_t{3}, 3);
    }
  }
  return out;
}

}  // namespace cbir
