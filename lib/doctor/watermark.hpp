#pragma once
/// Text across a picture, as agencies put it.

#include <string>

#include <cbir/image/image.hpp>

namespace cbir {

struct Watermark {
  std::string text;      ///< printable ASCII
  double opacity = 0.5;  ///< of the letters; their outline has the same
  double span = 0.85;    ///< length of the text as a share of the diagonal chord at its angle
  int lines = 1;         ///< odd; the middle one goes through the centre
  bool rising = true;    ///< along the diagonal from bottom left, else from top left
  double tilt = 0;       ///< degrees off the diagonal
};

Image draw_watermark(const Image& image, const Watermark& mark);

}  // namespace cbir
