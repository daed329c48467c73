#pragma once
/// YOLOv5, from release 6.0 on (https://github.com/ultralytics/yolov5, models/yolo.py of v7.0): n, s, m, l, x, and
/// their variants for large pictures (n6 to x6). Width, depth, anchors and the number of classes are what the weights'
/// shapes say.

#include <cbir/detect/detect_plugin.h>

#include <memory>
#include <vector>

#include "parameters.hpp"
#include "settings.hpp"

namespace cbir::nets {

/// A working copy, for one thread at a time; copies share the packed weights.
class Yolov5 {
 public:
  /// Throws Error as Parameters::take() does, and (incompatible) for another architecture.
  Yolov5(Parameters& parameters, Precision precision, c10::Device device);
  Yolov5(const Yolov5& other);
  ~Yolov5();

  std::int64_t classes() const;
  std::int64_t stride() const;  ///< the largest of its levels'

  /// 8-bit RGB, both sides multiples of stride(). Candidates level by level, of each anchor by anchor, row by row, as
  /// the original concatenates them.
  std::vector<cbir_detect_candidate> run(const cbir_net_picture& picture, float min_confidence) const;

 private:
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

}  // namespace cbir::nets
