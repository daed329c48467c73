#pragma once
/// A network out of an ONNX file, run by OpenCV's dnn.

#include <cbir/encoder/net_plugin.h>

#include <opencv2/dnn/dnn.hpp>
#include <string>
#include <vector>

#include "../net_plugin/settings.hpp"
#include "../net_plugin/working_copies.hpp"
#include "model_file.hpp"

namespace cbir::onnx {

/// Thread-safe: each thread that encodes has a copy of the network of its own, parameters included, since a
/// cv::dnn::Net is for one thread and cannot be copied.
class Network {
 public:
  /// Reads the file, finds the output that the preset names, and tries it. Throws Error.
  Network(nets::PresetSettings settings, std::string_view file);

  const nets::PresetSettings& settings() const noexcept { return settings_; }
  bool any_size() const noexcept { return any_size_; }

  /// One picture to settings().dimension numbers. Throws Error or cv::Exception.
  void encode(const cbir_net_picture& picture, float* out) const;

 private:
  /// A copy for pictures of one size, and the memory of its input.
  struct Copy {
    cv::dnn::Net net;
    cv::Mat input;
    std::uint32_t height = 0, width = 0;
  };

  void check_input(const ModelFile& file);
  std::string find_output(const ModelFile& file) const;
  void try_out() const;
  cv::dnn::Net import(std::int64_t height, std::int64_t width) const;
  cv::Mat run(Copy& copy, const cbir_net_picture& picture, bool mirrored) const;

  nets::PresetSettings settings_;
  nets::PixelValues values_;
  std::string file_;  ///< copies are made of it, and made anew for pictures of another size
  std::string input_;
  std::string output_;
  std::string more_output_;  ///< the same, if the file does not have it as an output
  bool any_size_ = false;
  mutable nets::WorkingCopies<Copy> copies_;
};

/// What OpenCV says, on one line.
std::string reason(const cv::Exception& error);

}  // namespace cbir::onnx
