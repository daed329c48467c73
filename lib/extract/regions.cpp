#include <cbir/extract/regions.hpp>

#include <fmt/format.h>

#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "in_order.hpp"
#include "input.hpp"

namespace cbir {
namespace {

FoundRegions regions_of(const Listing& listing, std::size_t seq, const Detector& detector,
                        const DecodeOptions& options) {
  FoundRegions out{.file = listing.files[seq], .seq = seq};
  if (!out.file.problem.empty()) {
    out.failure = LoadFailure{"read", out.file.problem};
    return out;
  }
  OpenedPicture opened = open_picture(out.file.path, options);
  out.width = opened.about.width;
  out.height = opened.about.height;
  out.failure = std::move(opened.about.failure);
  if (!out.failure) out.regions = detector.detect(opened.image);
  return out;
}

}  // namespace

WholePicture parse_whole_picture(const std::string& name) {
  for (const WholePicture whole : {WholePicture::empty, WholePicture::always, WholePicture::never})
    if (name == to_string(whole)) return whole;
  throw UsageError(fmt::format("'{}': empty, always or never was expected", display_path(name)));
}

std::string_view to_string(WholePicture whole) {
  switch (whole) {
    case WholePicture::empty:
      return "empty";
    case WholePicture::always:
      return "always";
    case WholePicture::never:
      return "never";
  }
  return "";
}

std::string region_name(const std::string& picture, std::size_t number) {
  return fmt::format("{}#{}", picture, number);
}

void find_regions(const Listing& listing, const Detector& detector, const DecodeOptions& options,
                  const std::function<void(const FoundRegions&)>& sink) {
  const std::size_t total = listing.files.size(), threads = worker_threads();
  run_in_order<FoundRegions>({
      .threads = threads,
      .begin =
          [&](std::size_t seq) {
            if (seq + threads < total) read_ahead(listing.files[seq + threads].path);
            return seq < total;
          },
      .make = [&](std::size_t seq, FoundRegions& found) { found = regions_of(listing, seq, detector, options); },
      .hand_on = [&](FoundRegions& found) { sink(found); },
  });
}

}  // namespace cbir
