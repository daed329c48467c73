#pragma once
/// JPEG through libjpeg-turbo. Inside the image module only.

#include <cbir/image/image.hpp>

namespace cbir {

/// Pixels as stored, before orientation. The header was probed before: `probe` says what it holds.
Image decode_jpeg(Bytes file, const ImageProbe& probe, bool accept_truncated);

}  // namespace cbir
