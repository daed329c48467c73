#pragma once
/// Complete linkage over the pairs that reach a threshold; include/cbir/dedup/dedup.hpp says what that is.

#include <cstdint>
#include <vector>

namespace cbir {

/// Two rows, a < b.
struct ScoredPair {
  std::uint32_t a = 0, b = 0;
  float score = 0;
};

struct LinkedGroup {
  std::vector<std::uint32_t> rows;  ///< ascending
  float least = 0;                  ///< score of any two of them
};

/// Groups of two and more, by their first rows. Takes each pair once, in any order; a pair that does not come does not
/// reach the threshold.
///
/// As pairs come from the highest score down, the one that is the last between two groups is the lowest between them:
/// groups are joined in the order in which the textbook's agglomerative algorithm joins them.
std::vector<LinkedGroup> complete_linkage(std::size_t rows, std::vector<ScoredPair> pairs);

}  // namespace cbir
