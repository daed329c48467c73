#include <cbir/catalog/identify.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_set>
#include <utility>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/extract/boxes.hpp>

#include "outline.hpp"
#include "votes.hpp"

namespace cbir {
namespace {

/// Of inliers that a better finding has taken already, or of the smaller box, what makes two findings one.
constexpr double kSameKeypoints = .3, kSameBox = .5;

/// How far keypoints may lie outside the crop that a candidate was found by, as a share of its sides: crops are not
/// exact.
constexpr double kMargin = .25;

/// Of boxes that are crops, of which none is exact.
constexpr double kSameCrop = .3;

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// Some features of a picture.
struct Part {
  LocalFeatures features = {};
  std::vector<std::uint32_t> numbers = {};  ///< of each in the whole picture
};

/// Those in and around a box: what an item is not among is no competition for it, and takes no time.
Part part_of(const LocalFeatures& whole, const Box& box) {
  const double dx = kMargin * (box.x2 - box.x1), dy = kMargin * (box.y2 - box.y1);
  Part part;
  part.features = {.width = whole.width, .height = whole.height, .scale = whole.scale};
  const auto width = whole.size() > 0 ? whole.descriptors.size() / whole.size() : 0;
  const auto bytes = whole.size() > 0 ? whole.bits.size() / whole.size() : 0;
  const auto copy = [](const auto& from, auto& to, std::size_t size, std::size_t i) {
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(i * size);
    to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const Keypoint& point = whole.keypoints[i];
    if (point.x < box.x1 - dx || point.x > box.x2 + dx || point.y < box.y1 - dy || point.y > box.y2 + dy) continue;
    part.features.keypoints.push_back(point);
    part.numbers.push_back(static_cast<std::uint32_t>(i));
    copy(whole.descriptors, part.features.descriptors, width, i);
    copy(whole.bits, part.features.bits, bytes, i);
  }
  return part;
}

bool better(const ItemFinding& a, const ItemFinding& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.inliers != b.inliers) return a.inliers > b.inliers;
  return a.item < b.item;
}

}  // namespace

StageSeconds& StageSeconds::operator+=(const StageSeconds& other) {
  crops += other.crops;
  embed += other.embed;
  search += other.search;
  features += other.features;
  votes += other.votes;
  verify += other.verify;
  return *this;
}

/// A picture of an item that one of the crops resembles, or that keypoints voted for.
struct Identifier::Candidate {
  std::uint64_t position = 0;  ///< in the catalogue
  std::string item;
  Box box = {};  ///< where it is expected
  std::optional<double> similarity = {};
  std::size_t rank = 0;  ///< among the items that a crop resembles, where it is best
};

Identifier::Identifier(const Catalog& catalog, IdentifyParts parts, const IdentifyOptions& options)
    : catalog_(catalog), parts_(std::move(parts)), options_(options) {
  if (!options_.verify) options_.votes = 0;
  if (options_.candidates == 0 && options_.votes == 0)
    throw UsageError("items cannot be identified with neither embeddings nor keypoints to find candidates by");
  if (options_.candidates > 0 && !parts_.encoder) throw UsageError("crops cannot be embedded without an encoder");
  if (options_.verify && (!parts_.extractor || !parts_.matcher))
    throw UsageError("findings cannot be verified without local features and a matcher");
  if (options_.votes > 0) votes_ = std::make_unique<const KeypointVotes>(catalog);
}

Identifier::~Identifier() = default;

std::vector<Box> Identifier::boxes_of(const Image& picture) const {
  std::vector<Box> boxes = {{0, 0, static_cast<double>(picture.width), static_cast<double>(picture.height)}};
  if (!parts_.proposer || options_.crops == 0) return boxes;
  for (const Detection& detection : parts_.proposer->detect(picture)) {
    if (boxes.size() > options_.crops) break;
    boxes.push_back({detection.x1, detection.y1, detection.x2, detection.y2});
  }
  return boxes;
}

/// The best candidate of each item. Those that come first for some crop are first: by similarity alone, crops of what
/// is no item, but like many, would take the place of those that show one.
std::vector<Identifier::Candidate> Identifier::candidates_of(const Image& picture, StageSeconds& seconds) const {
  if (options_.candidates == 0) return {};
  Stopwatch watch;
  const std::vector<Box> boxes = boxes_of(picture);
  seconds.crops = watch.seconds();
  watch = {};
  const Encoder& encoder = *parts_.encoder;
  std::vector<float> vectors(boxes.size() * encoder.dim());
  parallel_blocks(boxes.size(), 1, [&](std::size_t i, std::size_t) {
    const auto pixels = pixels_of(boxes[i], picture.width, picture.height);
    if (!pixels) return;  // zeros: no picture of the catalogue resembles them
    const Image input = preprocess(crop(picture, *pixels), encoder.preset().preprocessing);
    encoder.encode({&input, 1}, {vectors.data() + i * encoder.dim(), 1, encoder.dim()});
  });
  seconds.embed = watch.seconds();
  watch = {};
  const auto hits = catalog_.search({vectors.data(), boxes.size(), encoder.dim()}, options_.candidates);
  std::map<std::string, Candidate> best;
  for (std::size_t i = 0; i < boxes.size(); ++i)
    for (std::size_t rank = 0; rank < hits[i].size(); ++rank) {
      const Hit& hit = hits[i][rank];
      const std::uint64_t position = catalog_.position_of(hit.id);
      const std::string item = catalog_.row(position).label.value_or("");
      Candidate& candidate = best[item];
      const bool sooner = options_.verify && rank < candidate.rank, later = options_.verify && rank > candidate.rank;
      if (candidate.item.empty() || sooner || (!later && hit.score > candidate.similarity))
        candidate = {.position = position, .item = item, .box = boxes[i], .similarity = hit.score, .rank = rank};
    }
  std::vector<Candidate> candidates;
  for (auto& [item, candidate] : best) candidates.push_back(std::move(candidate));
  std::ranges::stable_sort(candidates, [&](const Candidate& a, const Candidate& b) {
    if (options_.verify && a.rank != b.rank) return a.rank < b.rank;
    return a.similarity > b.similarity;
  });
  if (options_.verify && candidates.size() > options_.candidates) candidates.resize(options_.candidates);
  seconds.search = watch.seconds();
  return candidates;
}

/// Adds the candidates that keypoints vote for. An item may be among those that were there, too, elsewhere.
void Identifier::add_voted(const LocalFeatures& features, std::vector<Candidate>& candidates) const {
  if (!votes_) return;
  const std::size_t resembling = candidates.size();
  for (const VotedPicture& voted : votes_->count(features, options_.votes)) {
    Candidate candidate{
        .position = voted.position, .item = catalog_.row(voted.position).label.value_or(""), .box = voted.box};
    const auto end = candidates.begin() + static_cast<std::ptrdiff_t>(resembling);
    const auto same =
        std::find_if(candidates.begin(), end, [&](const Candidate& other) { return other.item == candidate.item; });
    if (same != end) candidate.similarity = same->similarity;
    candidates.push_back(std::move(candidate));
  }
}

std::vector<ItemFinding> Identifier::verified(const std::vector<Candidate>& candidates,
                                              const LocalFeatures& features) const {
  const double least_score = options_.min_score.value_or(catalog_.settings().thresholds.score);
  struct Trial {
    ItemFinding finding = {};
    std::vector<std::uint32_t> seen = {};  ///< keypoints of the picture that are inliers; none: not found
  };
  std::vector<Trial> trials(candidates.size());
  parallel_blocks(candidates.size(), 1, [&](std::size_t i, std::size_t) {
    const Candidate& candidate = candidates[i];
    const LocalFeatures known = catalog_.features(candidate.position);
    const Part part = part_of(features, candidate.box);
    const std::vector<LocalMatch> matches = parts_.matcher->match(known, part.features);
    const Verification verification = verify_matches(known, part.features, matches, options_.geometry);
    if (!verification.transform || verification.score < least_score) return;
    const auto box = seen_box(*verification.transform, known.width, known.height, features.width, features.height);
    if (!box) return;
    for (const std::uint32_t inlier : verification.inliers) trials[i].seen.push_back(part.numbers[matches[inlier].b]);
    trials[i].finding = ItemFinding{.item = candidate.item,
                                    .picture = catalog_.row(candidate.position).picture_path(),
                                    .box = *box,
                                    .score = verification.score,
                                    .similarity = candidate.similarity,
                                    .inliers = verification.inliers.size(),
                                    .matches = matches.size(),
                                    .transform = verification.transform};
  });
  std::erase_if(trials, [](const Trial& trial) { return trial.seen.empty(); });
  std::ranges::stable_sort(trials, better, &Trial::finding);

  std::vector<ItemFinding> found;
  std::unordered_set<std::uint32_t> taken;
  for (const Trial& trial : trials) {
    const ItemFinding& finding = trial.finding;
    const auto again = std::ranges::count_if(trial.seen, [&](std::uint32_t point) { return taken.contains(point); });
    const bool claimed = static_cast<double>(again) > kSameKeypoints * static_cast<double>(trial.seen.size()) ||
                         std::ranges::any_of(found, [&](const ItemFinding& other) {
                           const double least = kSameBox * std::min(area(finding.box), area(other.box));
                           return finding.item == other.item || shared_area(finding.box, other.box) > least;
                         });
    if (claimed) continue;
    found.push_back(finding);
    taken.insert(trial.seen.begin(), trial.seen.end());
  }
  return found;
}

std::vector<ItemFinding> Identifier::by_similarity(const std::vector<Candidate>& candidates) const {
  const double least = options_.min_score.value_or(catalog_.settings().thresholds.similarity);
  std::vector<ItemFinding> found;
  for (const Candidate& candidate : candidates) {
    if (*candidate.similarity < least) break;
    if (std::ranges::any_of(found,
                            [&](const ItemFinding& other) { return box_iou(candidate.box, other.box) > kSameCrop; }))
      continue;
    found.push_back({.item = candidate.item,
                     .picture = catalog_.row(candidate.position).picture_path(),
                     .box = candidate.box,
                     .score = *candidate.similarity,
                     .similarity = candidate.similarity});
  }
  return found;
}

std::vector<ItemFinding> Identifier::identify(const Image& picture, StageSeconds* seconds) const {
  StageSeconds spent;
  std::vector<Candidate> candidates;
  LocalFeatures features;
  // Side by side: neither needs the other.
  parallel_blocks(options_.verify ? 2 : 1, 1, [&](std::size_t i, std::size_t) {
    if (i == 0) {
      candidates = candidates_of(picture, spent);
    } else {
      const Stopwatch watch;
      features = parts_.extractor->extract(picture);
      spent.features = watch.seconds();
    }
  });
  Stopwatch watch;
  add_voted(features, candidates);
  spent.votes = watch.seconds();
  watch = {};
  std::vector<ItemFinding> found = options_.verify ? verified(candidates, features) : by_similarity(candidates);
  spent.verify = watch.seconds();
  if (seconds) *seconds += spent;
  return found;
}

}  // namespace cbir
