#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/catalog/identify.hpp>

namespace cbir {
namespace {

constexpr std::size_t kLeastPictures = 20;
constexpr double kTail = .1;  // share of the sample that the tail is fitted to
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 31;

double best_score(const std::vector<ItemFinding>& findings) { return findings.empty() ? 0 : findings.front().score; }

}  // namespace

double tail_threshold(std::vector<double> sample, double rate) {
  std::ranges::sort(sample, std::greater<>());
  const std::size_t tail =
      std::max<std::size_t>(1, static_cast<std::size_t>(kTail * static_cast<double>(sample.size())));
  const double from = sample[std::min(tail, sample.size() - 1)];
  double excess = 0;
  for (std::size_t i = 0; i < tail; ++i) excess += sample[i] - from;
  excess /= static_cast<double>(tail);
  const double beyond = static_cast<double>(tail) / static_cast<double>(sample.size());
  if (rate < beyond) return from + excess * std::log(beyond / rate);
  return sample[std::min(static_cast<std::size_t>(rate * static_cast<double>(sample.size())), sample.size() - 1)];
}

CatalogCalibration calibrate_catalog(const std::function<std::unique_ptr<Identifier>(const IdentifyOptions&)>& make,
                                     const std::vector<std::string>& pictures, double rate,
                                     const IdentifyOptions& options, const DecodeOptions& decode,
                                     const std::function<void(std::uint64_t)>& progress) {
  if (!(rate > 0 && rate < 1))
    throw UsageError(fmt::format("a rate of {} of false findings was asked for; it lies between 0 and 1", rate));
  IdentifyOptions all = options;
  all.min_score = 0;  // whatever has a score
  const auto by_keypoints = make(all);
  all.verify = false;
  all.min_score = -1;
  all.candidates = std::max<std::size_t>(1, all.candidates);
  const auto by_similarity = make(all);
  CatalogCalibration calibration;
  std::vector<double> scores, similarities;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    Image picture;
    try {
      picture = decode_image(read_file(pictures[i], kMaxFileBytes), decode);
    } catch (const Error& error) {
      calibration.failed.push_back({.path = pictures[i], .seq = i, .stage = "decode", .reason = error.what()});
      continue;
    }
    scores.push_back(best_score(by_keypoints->identify(picture)));
    similarities.push_back(best_score(by_similarity->identify(picture)));
    if (progress) progress(i + 1);
  }
  calibration.pictures = scores.size();
  if (scores.size() < kLeastPictures)
    throw UsageError(
        fmt::format("{} of {} pictures could be read; at least {} are needed to find thresholds, and some "
                    "hundreds are better",
                    scores.size(), pictures.size(), kLeastPictures));
  calibration.highest_score = *std::ranges::max_element(scores);
  calibration.highest_similarity = *std::ranges::max_element(similarities);
  calibration.thresholds = {.score = tail_threshold(std::move(scores), rate),
                            .similarity = std::min(1., tail_threshold(std::move(similarities), rate))};
  return calibration;
}

}  // namespace cbir
