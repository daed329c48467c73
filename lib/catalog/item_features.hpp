#pragma once
/// Local features of an item's picture.

#include <cbir/image/image.hpp>
#include <cbir/local/local.hpp>

namespace cbir {

/// Of a small picture made larger first: its details lie at scales that extractors do not look at.
LocalFeatures features_of_item(const Image& picture, const LocalExtractor& extractor);

/// Both, but for those of the second that are much the same in the first, the strongest first. Of one picture on two
/// grounds: what is seen at its outline depends on what lies behind it.
LocalFeatures merged_features(LocalFeatures first, const LocalFeatures& second);

}  // namespace cbir
