#pragma once
/// What a run would take, found out before it begins.

#include <cstdint>
#include <string>

#include <cbir/extract/extract.hpp>

namespace cbir {

struct Estimate {
  std::uint64_t images = 0;      ///< of the list
  std::uint64_t bytes = 0;       ///< of their files
  std::uint64_t to_do = 0;       ///< images whose result is not there already
  double images_per_second = 0;  ///< of a short trial, with all threads; reading included
  double seconds = 0;            ///< for what is to be done
  std::uint64_t memory = 0;      ///< peak of this process after the trial
  std::uint64_t disk = 0;        ///< what the run will write, and has not yet
  std::uint64_t disk_free = 0;   ///< there is, where it will be written
};

/// Writes nothing. A trial of some seconds on batches from all over the list gives the time; what the disk must hold
/// is counted, before the trial; rows of regions are as many an image as in the trial. Throws ResourceLimit if the disk
/// will not hold it, and as extract() does.
Estimate estimate(const Listing& listing, const EncoderChoice& choice, const ExtractOptions& options);

/// Lines of name, tab, value.
std::string to_tsv(const Estimate& estimate);
/// One JSON object and a newline.
std::string to_json(const Estimate& estimate);

}  // namespace cbir
