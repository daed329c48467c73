#include "item_features.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include <cbir/image/resize.hpp>

namespace cbir {
namespace {

constexpr int kLeastSide = 256;  // of the longer side of a picture whose keypoints are looked for

// What is the same on both grounds differs by less than this.
constexpr float kSamePlace = 1;       // pixels
constexpr float kSameSize = 1.1F;     // factor
constexpr float kSameAngle = 5;       // degrees
constexpr float kSameNumbers = .15F;  // of a descriptor's length
constexpr int kSameBits = 12;

template <typename T>
std::span<const T> descriptor(const std::vector<T>& all, std::size_t count, std::size_t i) {
  const std::size_t each = all.size() / count;
  return std::span(all).subspan(i * each, each);
}

bool same_spot(const Keypoint& a, const Keypoint& b) {
  const float turn = std::abs(a.angle - b.angle);
  return std::hypot(a.x - b.x, a.y - b.y) < kSamePlace && a.size <= kSameSize * b.size &&
         b.size <= kSameSize * a.size && std::min(turn, 360 - turn) < kSameAngle;
}

bool same_descriptor(const LocalFeatures& a, std::size_t i, const LocalFeatures& b, std::size_t j) {
  int bits = 0;
  const auto bits_a = descriptor(a.bits, a.size(), i), bits_b = descriptor(b.bits, b.size(), j);
  for (std::size_t k = 0; k < bits_a.size(); ++k) bits += std::popcount(static_cast<unsigned>(bits_a[k] ^ bits_b[k]));
  float apart = 0, length = 0;
  const auto of_a = descriptor(a.descriptors, a.size(), i), of_b = descriptor(b.descriptors, b.size(), j);
  for (std::size_t k = 0; k < of_a.size(); ++k) {
    apart += (of_a[k] - of_b[k]) * (of_a[k] - of_b[k]);
    length += of_a[k] * of_a[k];
  }
  return bits <= kSameBits && apart <= kSameNumbers * kSameNumbers * length;
}

void append(LocalFeatures& to, const LocalFeatures& from, std::size_t i) {
  to.keypoints.push_back(from.keypoints[i]);
  const auto numbers = descriptor(from.descriptors, from.size(), i);
  to.descriptors.insert(to.descriptors.end(), numbers.begin(), numbers.end());
  const auto bits = descriptor(from.bits, from.size(), i);
  to.bits.insert(to.bits.end(), bits.begin(), bits.end());
}

}  // namespace

LocalFeatures features_of_item(const Image& picture, const LocalExtractor& extractor) {
  const double scale = static_cast<double>(kLeastSide) / std::max(picture.width, picture.height);
  if (scale <= 1) return extractor.extract(picture);
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  LocalFeatures features =
      extractor.extract(resize(picture, scaled(picture.width), scaled(picture.height), Filter::bicubic));
  const float x = static_cast<float>(picture.width) / static_cast<float>(features.width),
              y = static_cast<float>(picture.height) / static_cast<float>(features.height);
  for (Keypoint& point : features.keypoints) {
    point.x = (point.x + .5F) * x - .5F;
    point.y = (point.y + .5F) * y - .5F;
    point.size *= x;
  }
  features.scale *= x;
  features.width = picture.width;
  features.height = picture.height;
  return features;
}

LocalFeatures merged_features(LocalFeatures first, const LocalFeatures& second) {
  LocalFeatures both = first;
  for (std::size_t j = 0; j < second.size(); ++j) {
    bool known = false;
    for (std::size_t i = 0; i < first.size() && !known; ++i)
      known = same_spot(first.keypoints[i], second.keypoints[j]) && same_descriptor(first, i, second, j);
    if (!known) append(both, second, j);
  }
  std::vector<std::size_t> order(both.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return both.keypoints[i].score; });
  LocalFeatures sorted{.width = both.width, .height = both.height, .scale = both.scale};
  for (const std::size_t i : order) append(sorted, both, i);
  return sorted;
}

}  // namespace cbir
