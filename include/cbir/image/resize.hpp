#pragma once
/// Resampling equal to Pillow's Image.resize bit by bit, and cropping.
///
/// Pillow's algorithm (libImaging/Resample.c): separable convolution, horizontal pass first, the filter's support
/// widened by the scale when shrinking (antialiasing), weights rounded to 22-bit fixed point, results rounded and
/// clipped to 8 bits after each pass.

#include <cbir/image/image.hpp>

namespace cbir {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };  // bicubic: a = -0.5; lanczos: 3 lobes

/// Throws UsageError if a side is not positive.
Image resize(const Image& image, int width, int height, Filter filter);

/// Equal to crop(resize(image, width, height, filter), left, top, window_width, window_height), but computes no pixel
/// outside the window: a centre crop need not pay for what it cuts off. Throws UsageError if a side is not positive.
Image resize_window(const Image& image, int width, int height, int left, int top, int window_width, int window_height,
                    Filter filter);

/// A part of the picture; what lies outside it is black, as Pillow's crop has it. Throws UsageError if a side is not
/// positive.
Image crop(const Image& image, int left, int top, int width, int height);

}  // namespace cbir
