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

/// The cheapest effort, by what is counted and not by time, whose recall on the sample, less a standard error, reaches
/// the target; if none does, the furthest that was tried. What `given` names is kept. `type`: "flat", "ivf", "hnsw" or
/// "lsh".
Tuned tune(const RecallSample& sample, const Structure& structure, const std::string& type, std::uint64_t rows,
           const SearchEffort& given, double target);

}  // namespace cbir
