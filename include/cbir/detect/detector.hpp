#pragma once
/// Detectors: the things in a picture, each as a box.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <cbir/image/image.hpp>

namespace cbir {

/// A thing that was found, or a part of the picture where one may be.
struct Detection {
  /// From the corner (x1, y1) to the corner (x2, y2), in pixels of the upright picture.
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  int class_id = -1;            ///< -1: a proposal, which knows no classes
  std::string class_name = {};  ///< empty: not known
  double confidence = 0;        ///< 0 to 1; of a proposal, comparable within one picture only

  bool operator==(const Detection&) const = default;
};

/// Thread-safe; computes on the calling thread alone.
class Detector {
 public:
  virtual ~Detector() = default;

  /// Best first. Boxes lie inside the picture and are not empty.
  virtual std::vector<Detection> detect(const Image& picture) const = 0;

  /// The classes it knows, by class_id; none of a proposer.
  virtual const std::vector<std::string>& classes() const = 0;
};

/// Of a detector by a network.
struct DetectorOptions {
  std::optional<std::string> weights = {};  ///< instead of the preset's own
  double min_confidence = .25;              ///< of a detection, 0 to 1
  double max_overlap = .45;                 ///< intersection over union that two things of one class may have
  std::size_t max = 300;                    ///< detections in a picture
  std::vector<std::string> classes = {};    ///< by name, or by number where the file gives no names; empty: all
  int size = 0;                             ///< the picture's long side becomes so many pixels; 0: as the preset says
  std::string precision = "float32";        ///< as EncoderOptions has them
  std::string device = "cpu";
};

/// A detector that is known and not open yet: opening one takes time that a run with nothing to do need not spend.
struct DetectorChoice {
  std::string identity;  ///< detectors of equal identity find the same in the same picture
  std::function<std::unique_ptr<Detector>()> open;
};

/// `model`: the name of a preset of kind "detector", the path of one (.json), or that of the weights themselves: an
/// .onnx file, else a checkpoint of YOLOv5 (.pt, .pth, .safetensors). Throws UsageError (an option makes no sense),
/// MissingInput (no such preset; weights that are not here, saying how to get them), DamagedFile (the preset's own
/// weights are not what it says).
DetectorChoice choose_detector(const std::string& model, const DetectorOptions& options = {});

/// The same, open: throws as above, and Incompatible (another architecture; a class that it does not know),
/// DamagedFile, Error of ExitCode::resource.
std::unique_ptr<Detector> open_detector(const std::string& model, const DetectorOptions& options = {});

}  // namespace cbir
