#pragma once
/// The options about detectors and proposers, the same in every program that runs one.

#include <CLI/App.hpp>
#include <string>

#include <cbir/detect/detector.hpp>

namespace cbir {

/// What a user says of what finds regions.
struct FinderRequest {
  std::string model;      ///< of a detector; or
  std::string proposals;  ///< "edges" or "grid"
  DetectorOptions detector = {};
  std::size_t max = 0;  ///< regions of a picture; 0: 300 of a detector, 100 of a proposer
};

/// Adds --detector-weights, --classes, --min-confidence, --max-overlap, --input-size, and `max` for the number of
/// regions; not --precision and --device, which encoders have, too.
void add_detector_flags(CLI::App& app, FinderRequest& request, const std::string& max);

/// Throws UsageError for options that are about detectors where there is none.
void validate_detector_flags(const CLI::App& app, const FinderRequest& request);

/// Throws as choose_detector() and choose_proposer().
DetectorChoice choose_finder(const FinderRequest& request);

}  // namespace cbir
