#include "extractors.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <opencv2/features2d.hpp>
#include <opencv2/imgproc.hpp>
#include <tuple>

#include <cbir/base/error.hpp>

namespace cbir::vision {
namespace {

/// Below this a picture has no octave to look for features in.
constexpr std::uint32_t kLeastSide = 12;

cv::Mat grey_of(const cbir_net_picture& picture) {
  // OpenCV has no view of pixels that nobody may write; it only reads them.
  const cv::Mat rgb(static_cast<int>(picture.height), static_cast<int>(picture.width), CV_8UC3,
                    const_cast<std::uint8_t*>(picture.pixels));
  cv::Mat grey;
  cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
  return grey;
}

/// Positions of the strongest `count` points, in an order that depends on the points alone: OpenCV keeps more than it
/// was asked for if the last ones are equally strong, and promises no order.
std::vector<std::size_t> strongest(const std::vector<cv::KeyPoint>& points, std::size_t count) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    const cv::KeyPoint& point = points[i];
    return std::tuple(-point.response, point.pt.y, point.pt.x, point.size, point.angle);
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
  order.resize(std::min(order.size(), count));
  return order;
}

cbir_local_keypoint keypoint_of(const cv::KeyPoint& point) {
  return {point.pt.x, point.pt.y, point.size, point.angle, point.response};
}

class Sift final : public Extractor {
 public:
  static constexpr int kDim = 128;

  explicit Sift(const nlohmann::json& settings) : contrast_(settings.at("contrast").get<double>()) {}

  cbir_local_extractor_info info() const override { return {.dim = kDim, .binary = 0}; }

  Features extract(const cbir_net_picture& picture, std::size_t count) const override {
    std::vector<cv::KeyPoint> points;
    cv::Mat descriptors;
    const auto sift = cv::SIFT::create(static_cast<int>(count), 3, contrast_);
    sift->detectAndCompute(grey_of(picture), cv::noArray(), points, descriptors);
    Features out;
    for (const std::size_t i : strongest(points, count)) {
      out.keypoints.push_back(keypoint_of(points[i]));
      append_root(descriptors.ptr<float>(static_cast<int>(i)), out.descriptors);
    }
    return out;
  }

 private:
  /// The square roots of the histogram's shares (RootSIFT: Arandjelovic and Zisserman, CVPR 2012), times 512: whole
  /// numbers that fit a byte, of which half precision loses nothing.
  static void append_root(const float* descriptor, std::vector<float>& out) {
    const float sum = std::accumulate(descriptor, descriptor + kDim, 0.0F);
    for (int i = 0; i < kDim; ++i) {
      const float share = sum > 0 ? descriptor[i] / sum : 0;
      out.push_back(std::min(255.0F, std::nearbyint(512 * std::sqrt(share))));
    }
  }

  double contrast_;
};

class Orb final : public Extractor {
 public:
  static constexpr int kDim = 32;

  explicit Orb(const nlohmann::json& settings) : contrast_(settings.at("contrast").get<int>()) {}

  cbir_local_extractor_info info() const override { return {.dim = kDim, .binary = 1}; }

  Features extract(const cbir_net_picture& picture, std::size_t count) const override {
    std::vector<cv::KeyPoint> points;
    cv::Mat descriptors;
    const auto orb = cv::ORB::create(static_cast<int>(count), 1.2F, 8, 31, 0, 2, cv::ORB::HARRIS_SCORE, 31, contrast_);
    orb->detectAndCompute(grey_of(picture), cv::noArray(), points, descriptors);
    Features out;
    for (const std::size_t i : strongest(points, count)) {
      out.keypoints.push_back(keypoint_of(points[i]));
      const std::uint8_t* bits = descriptors.ptr<std::uint8_t>(static_cast<int>(i));
      out.bits.insert(out.bits.end(), bits, bits + kDim);
    }
    return out;
  }

 private:
  int contrast_;
};

/// Has no features where the picture is too small for any.
class Guarded final : public Extractor {
 public:
  explicit Guarded(std::unique_ptr<Extractor> inner) : inner_(std::move(inner)) {}

  cbir_local_extractor_info info() const override { return inner_->info(); }

  Features extract(const cbir_net_picture& picture, std::size_t count) const override {
    if (count == 0 || std::min(picture.width, picture.height) < kLeastSide) return {};
    return inner_->extract(picture, count);
  }

 private:
  std::unique_ptr<Extractor> inner_;
};

std::unique_ptr<Extractor> make(const nlohmann::json& settings) {
  const auto network = settings.at("network").get<std::string>();
  if (network == "sift") return std::make_unique<Sift>(settings);
  if (network == "orb") return std::make_unique<Orb>(settings);
  throw Error(ExitCode::incompatible, "there are no features '" + network + "' here; sift and orb there are");
}

}  // namespace

std::unique_ptr<Extractor> make_extractor(const char* preset_json) {
  try {
    return std::make_unique<Guarded>(make(nlohmann::json::parse(preset_json)));
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::damaged, std::string("the preset cannot be used: ") + error.what());
  }
}

}  // namespace cbir::vision
