#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/encoder/encoder.hpp>
#include <cbir/image/resize.hpp>

namespace cbir {
namespace {

/// Positions in the scaled picture must fit an int, though only the crop is computed.
constexpr std::int64_t kMaxLongSide = 1 << 24;
/// What a network sees whole: its activations take some kilobytes a pixel.
constexpr std::int64_t kMaxWholePixels = 4 << 20;

struct Size {
  int width = 0, height = 0;
};

[[noreturn]] void refuse(const Image& image, const std::string& why) {
  throw ImageError(ExitCode::resource, fmt::format("{} x {} pixels: {}", image.width, image.height, why));
}

/// The other side of a picture whose side `from` becomes `to`. `wide`: `from` is the width.
int other_side(int side, int from, int to, bool wide, const std::string& rounding) {
  if (rounding == "floor")
    return static_cast<int>(static_cast<std::int64_t>(side) * to / from);  // torchvision's Resize
  const double exact = side * (static_cast<double>(to) / from);
  if (rounding == "round") return static_cast<int>(std::nearbyint(exact));  // Python's round(): half to even
  // Pillow's thumbnail(): of the neighbours the one whose width / height is nearer, the lower if they are equally near.
  const double low = std::max(std::floor(exact), 1.0), high = std::max(std::ceil(exact), 1.0);
  const auto error = [&](double other) {
    return wide ? std::abs(static_cast<double>(from) / side - to / other)
                : std::abs(static_cast<double>(side) / from - other / to);
  };
  return static_cast<int>(error(low) <= error(high) ? low : high);
}

Size resized(const Image& image, const Preprocessing& input) {
  if (input.resize_side == "both") return {input.resize, input.resize};
  const bool pad = input.crop_mode == Crop::pad, by_short = input.resize_side == "short" && !pad;
  const int target = pad ? input.crop : input.resize;
  const bool wide = image.width >= image.height;
  const int longer = std::max(image.width, image.height), shorter = std::min(image.width, image.height);
  if (input.resize_side == "long-at-most" && longer <= target) return {image.width, image.height};
  const int from = by_short ? shorter : longer, side = by_short ? longer : shorter;
  if (static_cast<std::int64_t>(side) * target / from > kMaxLongSide)
    refuse(image, fmt::format("too narrow to be scaled to a short side of {}", target));
  const int other =
      std::max(other_side(side, from, target, wide == !by_short, input.resize_rounding), by_short ? target : 1);
  return wide == by_short ? Size{other, target} : Size{target, other};
}

int crop_offset(int side, int crop, bool floor) {
  return floor ? (side - crop) / 2 : static_cast<int>(std::nearbyint((side - crop) / 2.0));
}

/// The picture in the middle of a square of the mean colour, which is zero to the network.
Image padded(const Image& image, const Size& size, const Preprocessing& input) {
  const Image picture = resize(image, size.width, size.height, input.filter);
  Image out(input.crop, input.crop);
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(input.mean[i % 3]), 0.0F, 255.0F));
  const int left = (input.crop - size.width) / 2, top = (input.crop - size.height) / 2;
  for (int y = 0; y < size.height; ++y)
    std::copy_n(picture.row(y), static_cast<std::size_t>(size.width) * 3, out.row(top + y) + left * 3);
  return out;
}

}  // namespace

Image preprocess(const Image& image, const Preprocessing& input) {
  if (image.width <= 0 || image.height <= 0) throw ImageError(ExitCode::damaged, "the picture has no pixels");
  const Size size = resized(image, input);
  if (input.crop_mode == Crop::pad) return padded(image, size, input);
  if (input.crop_mode == Crop::none) {
    if (static_cast<std::int64_t>(size.width) * size.height > kMaxWholePixels)
      refuse(image, fmt::format("scaled to {} x {}, which is more than the {} pixels that a network is shown uncropped",
                                size.width, size.height, kMaxWholePixels));
    return resize(image, size.width, size.height, input.filter);
  }
  const bool floor = input.crop_rounding == "floor";
  return resize_window(image, size.width, size.height, crop_offset(size.width, input.crop, floor),
                       crop_offset(size.height, input.crop, floor), input.crop, input.crop, input.filter);
}

}  // namespace cbir
