#include <cbir/video/video.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/videoio.hpp>
#include <string_view>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::string_view kCamera = "camera:";

/// What OpenCV and FFmpeg have to say of a file goes to standard error, past us; what matters is an exception.
void silence() {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0);
}

class OpenCvSource final : public FrameSource {
 public:
  OpenCvSource(cv::VideoCapture capture, bool live) : capture_(std::move(capture)), live_(live) {
    fps_ = capture_.get(cv::CAP_PROP_FPS);
    if (!std::isfinite(fps_) || fps_ < 0) fps_ = 0;
    expected_ = live ? 0 : capture_.get(cv::CAP_PROP_FRAME_COUNT);
  }

  bool advance() override {
    try {
      if (!capture_.grab()) return false;
    } catch (const cv::Exception& error) {
      failure_ = error.err;
      return false;
    }
    ++frames_;
    return true;
  }

  void read(VideoFrame& frame) override {
    try {
      if (!capture_.retrieve(pixels_) || pixels_.empty()) throw ImageError(ExitCode::damaged, "the frame is damaged");
    } catch (const cv::Exception& error) {
      throw ImageError(ExitCode::damaged, "the frame is damaged: " + error.err);
    }
    if (pixels_.type() != CV_8UC3)
      throw ImageError(ExitCode::damaged,
                       fmt::format("the frame has {} channels, 3 of 8 bits were expected", pixels_.channels()));
    frame.number = frames_ - 1;
    frame.time =
        fps_ > 0 && !live_ ? static_cast<double>(frame.number) / fps_ : capture_.get(cv::CAP_PROP_POS_MSEC) / 1e3;
    frame.picture.width = pixels_.cols;
    frame.picture.height = pixels_.rows;
    frame.picture.data.resize(static_cast<std::size_t>(pixels_.cols) * static_cast<std::size_t>(pixels_.rows) * 3);
    for (int y = 0; y < pixels_.rows; ++y) {
      const std::uint8_t* bgr = pixels_.ptr<std::uint8_t>(y);
      std::uint8_t* rgb = frame.picture.row(y);
      for (int x = 0; x < pixels_.cols; ++x, bgr += 3, rgb += 3) {
        rgb[0] = bgr[2];
        rgb[1] = bgr[1];
        rgb[2] = bgr[0];
      }
    }
  }

  double fps() const override { return fps_; }

  std::optional<std::string> problem() const override {
    if (!failure_.empty()) return fmt::format("frames end after {}: {}", frames_, failure_);
    if (live_) return fmt::format("no more frames came after {}", frames_);
    if (frames_ == 0) return "it holds no frame";
    // Where a container does not count its frames, OpenCV reckons their number from the duration.
    const double missing = expected_ - static_cast<double>(frames_), tolerated = std::max(2., .01 * expected_);
    if (missing > tolerated)
      return fmt::format("it ends after {} of {:.0f} frames: it is cut short, or damaged", frames_, expected_);
    return {};
  }

 private:
  cv::VideoCapture capture_;
  cv::Mat pixels_;
  double fps_ = 0, expected_ = 0;
  std::uint64_t frames_ = 0;
  bool live_;
  std::string failure_;
};

}  // namespace

bool is_live(const std::string& name) {
  return name.starts_with(kCamera) || name.find("://") != std::string::npos || name.starts_with("/dev/video");
}

std::unique_ptr<FrameSource> open_video(const std::string& name) {
  silence();
  const bool live = is_live(name);
  cv::VideoCapture capture;
  try {
    if (name.starts_with(kCamera)) {
      std::uint64_t number = 0;
      if (!parse_number(std::string_view(name).substr(kCamera.size()), number) || number > 1000)
        throw MissingInput(fmt::format("{}: a camera is named camera:0, camera:1, ...", display_path(name)));
      capture.open(static_cast<int>(number));
    } else {
      if (!live) regular_size(open_input(name), name);
      // GStreamer, which OpenCV tries next, starts programs and takes its time. Motion JPEG OpenCV reads itself.
      if (!capture.open(name, cv::CAP_FFMPEG)) capture.open(name, live ? cv::CAP_V4L2 : cv::CAP_OPENCV_MJPEG);
    }
  } catch (const cv::Exception&) {  // as not opened
  }
  if (!capture.isOpened()) {
    if (live) throw MissingInput(fmt::format("{}: cannot be opened", display_path(name)));
    throw ImageError(ExitCode::damaged,
                     "neither a picture nor a video that OpenCV reads; a video that is cut short may "
                     "have lost the table that its frames are found by");
  }
  return std::make_unique<OpenCvSource>(std::move(capture), live);
}

}  // namespace cbir
