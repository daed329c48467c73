#pragma once
/// Non-maximum suppression as YOLOv5 does it (utils/general.py, non_max_suppression, of v7.0, as detect.py calls it).

#include <cbir/detect/detect_plugin.h>

#include <cstddef>
#include <span>
#include <vector>

namespace cbir {

/// Of overlapping candidates of one class only the surest is kept, in float32 as the original computes: boxes of
/// different classes are moved apart by 7680 pixels. Best first, equally sure ones in the order given; at most `max`.
/// Of more than 30,000 candidates the surest are looked at. Returns positions in `candidates`.
std::vector<std::size_t> suppress(std::span<const cbir_detect_candidate> candidates, float max_overlap,
                                  std::size_t max);

}  // namespace cbir
