#pragma once
/// Local features: points of a picture that can be found again in another picture of the same thing, each with a vector
/// that describes what lies around it. Plain data.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/matrix.hpp>

namespace cbir {

/// In pixels of the upright picture; (0, 0) is the middle of the first pixel, as OpenCV has it.
struct Keypoint {
  float x = 0, y = 0;
  float size = 0;    ///< diameter of what is described, in pixels; 0: the extractor does not say
  float angle = -1;  ///< degrees, clockwise from the x axis; -1: the extractor does not say
  float score = 0;   ///< the more, the likelier to be found again

  bool operator==(const Keypoint&) const = default;
};
static_assert(sizeof(Keypoint) == 20);

/// What two pictures must share to be compared: features of another kind never match.
struct LocalKind {
  std::string name;         ///< "sift", "orb", "xfeat", "aliked", "superpoint"
  std::string fingerprint;  ///< SHA-256 over weights, architecture and settings that shape descriptors
  std::size_t dim = 0;      ///< numbers (or bytes, if binary) in a descriptor
  bool binary = false;      ///< descriptors are bits, compared by Hamming distance; else floats, compared by L2

  bool operator==(const LocalKind&) const = default;
};

/// The features of one picture, the strongest first.
struct LocalFeatures {
  int width = 0, height = 0;  ///< of the upright picture
  /// How many of its pixels, a side, were one pixel of the picture that was looked at; below 1 if that was made larger.
  float scale = 1;
  std::vector<Keypoint> keypoints = {};
  std::vector<float> descriptors = {};  ///< keypoints x dim, unless binary
  std::vector<std::uint8_t> bits = {};  ///< keypoints x dim bytes, if binary

  std::size_t size() const noexcept { return keypoints.size(); }
};

/// Two keypoints that may show the same point of the same thing.
struct LocalMatch {
  std::uint32_t a = 0, b = 0;  ///< positions in the features of the first and the second picture
  float score = 0;             ///< the more, the likelier; its range is the matcher's

  bool operator==(const LocalMatch&) const = default;
};

}  // namespace cbir
