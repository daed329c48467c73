#pragma once
/// Finds how far a structure must look for a wanted recall.

#include <string>

#include "lib/index/recall.hpp"

namespace cbir {

struct Tuned {
  SearchEffort effort;
  RecallEstimate recall;
  SearchCounts counts;  ///< of all the sample's queries
};

/// The cheapest effort, by what is counted and not by time, whose recall reaches the target by the lower end of its
/// interval on the sample, or is 1 there; if none does, the furthest that was tried. What `given` names is kept.
/// `type`: "flat", "ivf", "hnsw" or "lsh".
Tuned tune(const RecallSample& sample, const Structure& structure, const std::string& type, std::uint64_t rows,
           const SearchEffort& given, double target);

}  // namespace cbir
