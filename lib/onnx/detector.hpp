#pragma once
/// A detector out of an ONNX file, run by OpenCV's dnn. Its output is one of two tables, as Ultralytics' programs
/// export them, with boxes in pixels of the input:
///
///   YOLOv5 (and 6, 7)   1 x places x (5 + classes): x, y, width, height, objectness, the classes' confidences
///   YOLOv8 (and later)  1 x (4 + classes) x places: x, y, width, height, the classes' confidences

#include <cbir/detect/detect_plugin.h>

#include <opencv2/dnn/dnn.hpp>
#include <string>
#include <vector>

#include "../net_plugin/working_copies.hpp"
#include "model_file.hpp"

namespace cbir::onnx {

/// Thread-safe: each thread has a copy of the network of its own.
class Detector {
 public:
  /// Reads the file, and tries it. Throws Error.
  explicit Detector(std::string_view file);

  std::uint32_t classes() const noexcept { return classes_; }
  std::uint32_t width() const noexcept { return width_; }  ///< 0: any, as is the height
  std::uint32_t height() const noexcept { return height_; }
  const std::vector<std::string>& names() const noexcept { return names_; }  ///< empty: not known

  /// Throws Error or cv::Exception.
  std::vector<cbir_detect_candidate> run(const cbir_net_picture& picture, float min_confidence) const;

 private:
  /// A copy for pictures of one size, and the memory of its input.
  struct Copy {
    cv::dnn::Net net;
    cv::Mat input;
    std::uint32_t height = 0, width = 0;
  };

  void check_input(const ModelFile& file);
  void try_out();
  cv::Mat forward(Copy& copy, const cbir_net_picture& picture) const;
  bool places_first(const cv::Mat& output) const;

  std::string file_, input_, output_;
  std::uint32_t width_ = 0, height_ = 0, classes_ = 0;
  std::int64_t columns_ = 0;  ///< numbers of a place
  bool objectness_ = false;
  std::vector<std::string> names_;
  mutable nets::WorkingCopies<Copy> copies_;
};

}  // namespace cbir::onnx
