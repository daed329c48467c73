#pragma once
/// Parts of pictures that a detector or a proposer finds, each of which becomes a row, or a line of output.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/detect/detector.hpp>
#include <cbir/extract/listing.hpp>
#include <cbir/extract/picture.hpp>

namespace cbir {

/// When a whole picture is a row beside those of its regions.
enum class WholePicture {
  empty,   ///< if it has no region, so that no picture gets lost
  always,  ///< always, before its regions
  never    ///< never: a picture without regions has no row
};

/// "empty", "always", "never". Throws UsageError.
WholePicture parse_whole_picture(const std::string& name);
std::string_view to_string(WholePicture whole);

struct RegionOptions {
  DetectorChoice finder;
  WholePicture whole = WholePicture::empty;
};

/// What region `number`, from 1 on, of a picture is called: "photo.jpg#1".
std::string region_name(const std::string& picture, std::size_t number);

/// The regions of one picture of a list.
struct FoundRegions {
  ListedFile file;
  std::size_t seq = 0;        ///< position in the list
  int width = 0, height = 0;  ///< of the upright picture
  std::vector<Detection> regions = {};
  std::optional<LoadFailure> failure = {};
};

/// Finds the regions of all pictures, many at a time, and hands them on in the order of the list. Whatever is wrong
/// with a picture is its failure; what is wrong with the detector is thrown. Memory is bounded by the number of
/// threads.
void find_regions(const Listing& listing, const Detector& detector, const DecodeOptions& options,
                  const std::function<void(const FoundRegions&)>& sink);

}  // namespace cbir
