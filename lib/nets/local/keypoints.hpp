#pragma once
/// Keypoints out of a map of scores.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace cbir::nets {

/// A pixel, and its score.
struct Peak {
  std::int32_t x = 0, y = 0;
  float score = 0;

  bool operator==(const Peak&) const = default;
};

/// One number a pixel, row by row.
struct ScoreMap {
  std::span<const float> scores;
  std::int64_t width = 0, height = 0;
};

/// Of cells of 8 x 8 pixels, 1 x 65 x rows x columns in channels-last order, how likely each pixel is the cell's
/// keypoint: 8 rows x 8 columns. The last of the 65 stands for none of them.
at::Tensor cells_to_pixels(const at::Tensor& logits);

/// The pixels above the threshold that none within `radius` pixels along x and y exceeds, row by row. Equal
/// neighbours are all of them.
std::vector<Peak> local_maxima(const ScoreMap& map, float threshold, int radius);

/// The same, and twice again among the pixels that no maximum is near: SuperPoint's suppression, and ALIKED's.
std::vector<Peak> local_maxima_again(const ScoreMap& map, float threshold, int radius);

/// Takes away those within `border` pixels of the map's edge.
void leave_border(std::vector<Peak>& peaks, const ScoreMap& map, int border);

/// Leaves the `limit` strongest, the strongest first; of equal ones those that came first.
void keep_strongest(std::vector<Peak>& peaks, std::size_t limit);

}  // namespace cbir::nets
