#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/encoder/encoder.hpp>
#include <cbir/image/resize.hpp>

namespace cbir {
namespace {

/// Only the crop is computed, but positions in the scaled picture must fit an int.
constexpr std::int64_t kMaxLongSide = 1 << 24;

/// A side after resizing so that `shorter` becomes `target`.
int resized(int side, int shorter, int target, bool floor) {
  if (floor) return static_cast<int>(static_cast<std::int64_t>(side) * target / shorter);  // torchvision's Resize
  const double scale = static_cast<double>(target) / shorter;
  return std::max(target, static_cast<int>(std::nearbyint(side * scale)));  // Python's round(): half to even
}

int crop_offset(int side, int crop, bool floor) {
  return floor ? (side - crop) / 2 : static_cast<int>(std::nearbyint((side - crop) / 2.0));
}

}  // namespace

Image preprocess(const Image& image, const Preprocessing& preprocessing) {
  const int shorter = std::min(image.width, image.height), longer = std::max(image.width, image.height);
  if (shorter <= 0) throw ImageError(ExitCode::damaged, "the picture has no pixels");
  if (static_cast<std::int64_t>(longer) * preprocessing.resize / shorter > kMaxLongSide)
    throw ImageError(ExitCode::resource, fmt::format("{} x {} pixels: too narrow to be scaled to a short side of {}",
                                                     image.width, image.height, preprocessing.resize));
  const bool floor = preprocessing.resize_rounding == "floor";
  const int width = resized(image.width, shorter, preprocessing.resize, floor);
  const int height = resized(image.height, shorter, preprocessing.resize, floor);
  const bool crop_floor = preprocessing.crop_rounding == "floor";
  const int size = preprocessing.crop;
  return resize_window(image, width, height, crop_offset(width, size, crop_floor),
                       crop_offset(height, size, crop_floor), size, size, preprocessing.filter);
}

}  // namespace cbir
