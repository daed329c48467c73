#pragma once
/// How YOLOv5 scales a picture for its network (utils/augmentations.py, letterbox, of v7.0), with the arithmetic of
/// OpenCV's resize.

#include <cbir/image/image.hpp>

namespace cbir {

/// As cv2.resize(..., interpolation=cv2.INTER_LINEAR) of 8-bit pictures: weights of 11 bits, no antialiasing, but at
/// half the size the mean of four pixels. Sides must be positive.
Image resize_linear(const Image& image, int width, int height);

/// A picture in its network's input, and the way back.
struct Letterboxed {
  Image picture;
  /// (x, y) of the picture is (left + scale x, top + scale y) of the input, as the original has it (scale_coords): by
  /// the sizes of both, so that the rounding of a side is part of it.
  double scale = 1, left = 0, top = 0;
};

/// The size and place of a picture in the input of a network.
struct LetterboxOptions {
  int width = 640, height = 640;  ///< of the input
  int stride = 32;
  bool square = false;  ///< all of width x height; else as few rows or columns of grey as the stride allows
};

/// The picture, scaled up or down to fit, in the middle of grey of value 114.
Letterboxed letterbox(const Image& image, const LetterboxOptions& options);

}  // namespace cbir
