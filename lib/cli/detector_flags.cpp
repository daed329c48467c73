#include <cbir/cli/detector_flags.hpp>

#include <fmt/format.h>

#include <cbir/base/error.hpp>
#include <cbir/cli/program.hpp>
#include <cbir/detect/proposals.hpp>

namespace cbir {
namespace {

constexpr const char* kGroup = "Regions";
constexpr std::size_t kMostDetections = 300, kMostProposals = 100, kMost = 10'000;
constexpr const char* kAboutDetectors[] = {"--detector-weights", "--classes", "--min-confidence", "--max-overlap",
                                           "--input-size"};

}  // namespace

void add_detector_flags(CLI::App& app, FinderRequest& request, const std::string& max) {
  DetectorOptions& detector = request.detector;
  app.add_option("--detector-weights", detector.weights, "The detector's weights, instead of the preset's own")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_option("--classes", detector.classes, "Only things of these classes: person,car")
      ->delimiter(',')
      ->type_name("NAME,...")
      ->allow_extra_args(false)
      ->group(kGroup);
  app.add_option("--min-confidence", detector.min_confidence, "Only things that the detector is at least so sure of")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--max-overlap", detector.max_overlap,
                 "Of two things of one class that overlap more (intersection over union), only the surer")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P")
      ->capture_default_str()
      ->group(kGroup);
  app.add_option("--input-size", detector.size,
                 "Long side of what the detector sees, in pixels; the preset's if not given")
      ->check(whole_number(32, 4096))
      ->type_name("N")
      ->group(kGroup);
  app.add_option(max, request.max,
                 fmt::format("Boxes of a picture at most; {} of a detector, {} of proposals if not given",
                             kMostDetections, kMostProposals))
      ->check(whole_number(1, kMost))
      ->type_name("N")
      ->group(kGroup);
}

void validate_detector_flags(const CLI::App& app, const FinderRequest& request) {
  if (!request.model.empty()) return;
  for (const char* option : kAboutDetectors)
    if (app.count(option) > 0) throw UsageError(fmt::format("{} is about detectors, and none is used", option));
}

DetectorChoice choose_finder(const FinderRequest& request) {
  if (request.model.empty())
    return choose_proposer(request.proposals, {.max = request.max != 0 ? request.max : kMostProposals});
  DetectorOptions options = request.detector;
  options.max = request.max != 0 ? request.max : kMostDetections;
  return choose_detector(request.model, options);
}

}  // namespace cbir
