#pragma once
/// Proposals: parts of a picture in which there may be some thing, of whatever class. For when no detector's weights
/// are at hand, or no detector knows the things.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <cbir/detect/detector.hpp>

namespace cbir {

struct ProposalOptions {
  std::size_t max = 100;  ///< boxes of a picture
};

/// "edges", "grid".
std::vector<std::string> proposer_names();

/// A proposer: a Detector whose results have no classes.
/// "edges": boxes that hold whole contours (Zitnick and Dollar, Edge Boxes, ECCV 2014), the default;
/// "grid": the same boxes for all pictures of a size, larger ones first.
/// Throws UsageError (no such name).
std::unique_ptr<Detector> open_proposer(const std::string& name, const ProposalOptions& options = {});

/// As choose_detector().
DetectorChoice choose_proposer(const std::string& name, const ProposalOptions& options = {});

}  // namespace cbir
