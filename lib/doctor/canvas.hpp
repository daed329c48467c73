#pragma once
/// Drawing what surrounds pictures: surfaces with text and simple forms.

#include <opencv2/core.hpp>
#include <string>

#include <cbir/doctor/attacks.hpp>

namespace cbir {

using Colour = cv::Scalar;

inline Colour grey_of(double value) { return Colour::all(value); }

/// A surface in RGB. Coordinates are pixels from the top left.
class Canvas {
 public:
  Canvas(int width, int height, const Colour& ground);

  cv::Mat& pixels() { return pixels_; }
  int width() const { return pixels_.cols; }
  int height() const { return pixels_.rows; }

  void box(const cv::Rect2d& where, const Colour& colour);
  /// A box whose ends are half circles.
  void pill(const cv::Rect2d& where, const Colour& colour);
  void disc(cv::Point2d centre, double radius, const Colour& colour);
  void polygon(const std::vector<cv::Point2d>& corners, const Colour& colour);
  /// Text whose capitals are `height` high; it starts at `left`, its lower edge is `base`. Printable ASCII.
  void text(const std::string& text, double left, double base, double height, const Colour& colour);
  /// The picture, scaled to this place.
  void picture(const cv::Mat& picture, const cv::Rect& where);

 private:
  cv::Mat pixels_;
};

/// How long Canvas::text makes it.
double text_width(const std::string& text, double height);

/// A drawing of its own, that no collection holds: a landscape, discs and boxes, or words on a ground.
cv::Mat draw_scene(cv::Size size, Random& random);

}  // namespace cbir
