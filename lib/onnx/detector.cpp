#include "detector.hpp"

#include <array>

#include <cbir/base/boundary.hpp>

#include "class_names.hpp"
#include "network.hpp"
#include "pooling.hpp"
#include "rewrite.hpp"

namespace cbir::onnx {
namespace {

constexpr std::uint32_t kProbe = 320;  // side of what a detector for any size is tried with
constexpr std::int64_t kBox = 4;       // x, y, width, height

[[noreturn]] void incompatible(const std::string& message) { throw Error(ExitCode::incompatible, message); }

}  // namespace

Detector::Detector(std::string_view file) {
  const ModelFile contents = read_model_file(file);
  check_input(contents);
  file_ = file;
  output_ = contents.outputs[0].name;
  if (const auto names = contents.metadata.find("names"); names != contents.metadata.end())
    names_ = class_names(names->second);
  try_out();
}

void Detector::check_input(const ModelFile& file) {
  if (file.inputs.size() != 1)
    incompatible("the model must have one input, a picture; it has " + std::to_string(file.inputs.size()));
  const Value& input = file.inputs[0];
  const bool fits = input.type == kFloat32 && input.shape && input.shape->size() == 4 && (*input.shape)[0].size <= 1 &&
                    ((*input.shape)[1].size == 0 || (*input.shape)[1].size == 3);
  if (!fits)
    incompatible("the model's input is " + type_name(input.type) + ", " + to_text(input.shape) +
                 "; float32, 1 x 3 x height x width was expected");
  const std::int64_t height = (*input.shape)[2].size, width = (*input.shape)[3].size;
  constexpr std::int64_t kLargest = 4096;
  if ((height == 0) != (width == 0) || height > kLargest || width > kLargest)
    incompatible("the model's input is " + to_text(input.shape) + "; both sides must be given, up to " +
                 std::to_string(kLargest) + " pixels, or neither");
  height_ = static_cast<std::uint32_t>(height);
  width_ = static_cast<std::uint32_t>(width);
  input_ = input.name;
}

bool Detector::places_first(const cv::Mat& output) const {
  const auto known = static_cast<int>(names_.size());
  if (known > 0 && (output.size[2] == known + kBox + 1 || output.size[1] == known + kBox))
    return output.size[2] == known + kBox + 1;
  return output.size[1] > output.size[2];
}

void Detector::try_out() {
  const std::uint32_t height = height_ ? height_ : kProbe, width = width_ ? width_ : kProbe;
  const std::vector<std::uint8_t> grey(std::size_t{height} * width * 3, 114);
  auto copy = std::make_unique<Copy>();
  cv::Mat output;
  try {
    output = forward(*copy, {grey.data(), width, height});
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) throw;
    incompatible("OpenCV " + cv::getVersionString() + " cannot run this model: " + reason(error));
  }
  if (output.type() != CV_32F || output.dims != 3 || output.size[0] != 1)
    incompatible("the model's first output is " + shape_text(output) +
                 "; 1 x places x (5 + classes) or 1 x (4 + classes) x places was expected, of a YOLO without its own "
                 "non-maximum suppression");
  objectness_ = places_first(output);
  columns_ = objectness_ ? output.size[2] : output.size[1];
  const std::int64_t classes = columns_ - kBox - (objectness_ ? 1 : 0);
  if (classes < 1) incompatible("the model's first output is " + shape_text(output) + ", which leaves no class");
  classes_ = static_cast<std::uint32_t>(classes);
  if (names_.size() != classes_) names_.clear();
  copies_.add(std::move(copy));
}

cv::Mat Detector::forward(Copy& copy, const cbir_net_picture& picture) const {
  if (copy.height != picture.height || copy.width != picture.width) {
    copy.height = copy.width = 0;  // none, should this fail
    const std::string model =
        for_opencv(file_, {.input = input_, .height = picture.height, .width = picture.width, .more_output = {}});
    copy.net = cv::dnn::readNetFromONNX(model.data(), model.size());
    copy.net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    copy.net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    copy.height = picture.height;
    copy.width = picture.width;
  }
  const std::array sides = {1, 3, static_cast<int>(picture.height), static_cast<int>(picture.width)};
  copy.input.create(static_cast<int>(sides.size()), sides.data(), CV_32F);
  float* to = copy.input.ptr<float>();
  const std::size_t pixels = std::size_t{picture.height} * picture.width;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < pixels; ++i) *to++ = static_cast<float>(picture.pixels[3 * i + c]) / 255;
  copy.net.setInput(copy.input, input_);
  return copy.net.forward(output_);
}

std::vector<cbir_detect_candidate> Detector::run(const cbir_net_picture& picture, float min_confidence) const {
  if (width_ != 0 && (picture.width != width_ || picture.height != height_))
    throw Error(ExitCode::internal, "a picture of another size than the detector takes");
  const auto copy = copies_.take([] { return std::make_unique<Copy>(); });
  const cv::Mat output = forward(*copy, picture);
  if (output.type() != CV_32F || output.dims != 3 || output.size[0] != 1 ||
      output.size[objectness_ ? 2 : 1] != columns_)
    throw Error(ExitCode::internal, "the network gave " + shape_text(output));
  const auto places = static_cast<std::size_t>(output.size[objectness_ ? 1 : 2]),
             columns = static_cast<std::size_t>(columns_), first = columns - classes_;
  const float* numbers = output.ptr<float>();
  const auto number = [&](std::size_t place, std::size_t column) {
    return objectness_ ? numbers[place * columns + column] : numbers[column * places + place];
  };
  std::vector<cbir_detect_candidate> out;
  for (std::size_t place = 0; place < places; ++place) {
    const float objectness = objectness_ ? number(place, kBox) : 1;
    if (!(objectness > min_confidence)) continue;
    cbir_detect_candidate found{number(place, 0), number(place, 1), number(place, 2), number(place, 3), -1, 0};
    for (std::size_t c = 0; c < classes_; ++c) {
      const float confidence = number(place, first + c) * objectness;
      if (confidence > found.confidence) {
        found.confidence = confidence;
        found.class_id = static_cast<std::uint32_t>(c);
      }
    }
    if (found.confidence > min_confidence) out.push_back(found);
  }
  return out;
}

}  // namespace cbir::onnx
