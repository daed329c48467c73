#include "votes.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <cbir/base/parallel.hpp>

#include "code_file.hpp"

namespace cbir {
namespace {

constexpr unsigned kFar = 92;            // bits by which what is like differs hardly ever
constexpr std::size_t kVotedItems = 6;   // by each keypoint
constexpr std::size_t kMostVotes = 512;  // for a picture, that are compared with each other
constexpr std::size_t kBlock = 128;      // keypoints that vote at a time
constexpr double kReach = .15;           // of the picture's longer side: see agreement_of()

/// Some of the features of a picture.
LocalFeatures slice(const LocalFeatures& features, std::size_t begin, std::size_t end) {
  const auto part = [&](const auto& all) {
    const std::size_t each = features.size() > 0 ? all.size() / features.size() : 0;
    return std::vector(all.begin() + static_cast<std::ptrdiff_t>(begin * each),
                       all.begin() + static_cast<std::ptrdiff_t>(end * each));
  };
  return {.width = features.width,
          .height = features.height,
          .scale = features.scale,
          .keypoints = part(features.keypoints),
          .descriptors = part(features.descriptors),
          .bits = part(features.bits)};
}

}  // namespace

KeypointVotes::KeypointVotes(const Catalog& catalog) {
  const LocalKind& kind = catalog.settings().local;
  const std::vector<KeypointCodes> stored = open_codes(catalog.feature_files());
  coder_ = DescriptorCoder(kind, stored.empty() ? std::span<const float>() : stored.front().mean().numbers);

  std::vector<std::vector<std::size_t>> starts;  // of each picture's keypoints, by file
  std::size_t keypoints = 0;
  for (const KeypointCodes& file : stored) {
    starts.emplace_back();
    std::size_t start = 0;
    for (const CodedPicture& picture : file.pictures()) {
      starts.back().push_back(start);
      start += picture.keypoints;
    }
    keypoints += start;
  }
  codes_.reserve(keypoints);
  spots_.reserve(keypoints);
  picture_of_.reserve(keypoints);
  std::unordered_map<std::string, std::uint32_t> items;
  for (std::uint32_t i = 0; i < catalog.pictures(); ++i) {
    const auto item = items.emplace(catalog.row(i).label.value_or(""), static_cast<std::uint32_t>(items.size()));
    item_of_.push_back(item.first->second);
    const auto [file, row] = catalog.place(i);
    const CodedPicture& picture = stored[file].pictures()[row];
    size_of_.push_back({static_cast<int>(picture.width), static_cast<int>(picture.height)});
    const auto codes = stored[file].codes().subspan(starts[file][row], picture.keypoints);
    const auto spots = stored[file].spots().subspan(starts[file][row], picture.keypoints);
    codes_.insert(codes_.end(), codes.begin(), codes.end());
    spots_.insert(spots_.end(), spots.begin(), spots.end());
    picture_of_.resize(codes_.size(), i);
  }
  tables_ = CodeTables(codes_, kind.binary);
}

/// `near`: known keypoints that resemble the one that is seen.
void KeypointVotes::vote(std::uint32_t seen, std::vector<Near>& near, std::vector<Vote>& votes) const {
  std::ranges::sort(near, {}, [](const Near& n) { return std::pair(n.distance, n.known); });
  std::array<std::uint32_t, kVotedItems> items{};
  std::size_t count = 0, last = 0;
  unsigned usual = kFar;  // how far what is of no item here may be
  for (; last < near.size(); ++last) {
    const std::uint32_t item = item_of_[picture_of_[near[last].known]];
    if (std::find(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count), item) !=
        items.begin() + static_cast<std::ptrdiff_t>(count))
      continue;
    if (count == kVotedItems) {
      usual = near[last].distance;
      break;
    }
    items[count++] = item;
  }
  for (std::size_t i = 0; i < last; ++i) {
    const float weight = static_cast<float>(usual - near[i].distance) / kFar;
    if (weight > 0) votes.push_back({picture_of_[near[i].known], near[i].known, seen, weight});
  }
}

/// By picture, the heaviest first.
std::vector<KeypointVotes::Vote> KeypointVotes::votes_of(const LocalFeatures& features) const {
  const std::size_t blocks = (features.size() + kBlock - 1) / kBlock;
  std::vector<std::vector<Vote>> of_block(blocks);
  parallel_blocks(features.size(), kBlock, [&](std::size_t begin, std::size_t end) {
    const DescriptorCodes codes = coder_.encode(slice(features, begin, end), true);
    const std::span<const float> margins(codes.margins);
    std::vector<std::uint32_t> candidates;
    std::vector<Near> near;
    for (std::size_t i = 0; i < end - begin; ++i) {
      const auto of_code = margins.empty() ? margins : margins.subspan(i * kCodeBits, kCodeBits);
      tables_.find(codes.codes[i], of_code, candidates);
      near.clear();
      for (const std::uint32_t candidate : candidates)
        if (const unsigned distance = code_distance(codes.codes[i], codes_[candidate]); distance < kFar)
          near.push_back({distance, candidate});
      vote(static_cast<std::uint32_t>(begin + i), near, of_block[begin / kBlock]);
    }
  });
  std::vector<Vote> votes;
  for (const std::vector<Vote>& block : of_block) votes.insert(votes.end(), block.begin(), block.end());
  std::ranges::sort(votes, {}, [](const Vote& v) { return std::tuple(v.picture, -v.weight, v.seen, v.known); });
  return votes;
}

std::optional<Agreement> KeypointVotes::agreement(std::span<const Vote> votes, const LocalFeatures& features) const {
  std::vector<PlacedVote> placed;
  for (const Vote& vote : votes.first(std::min(votes.size(), kMostVotes)))
    placed.push_back({.known = spots_[vote.known],
                      .seen = spot_of(features.keypoints[vote.seen]),
                      .number = vote.known,
                      .weight = vote.weight});
  const auto [width, height] = size_of_[votes.front().picture];
  return agreement_of(placed, width, height, kReach * std::max(features.width, features.height));
}

std::vector<VotedPicture> KeypointVotes::count(const LocalFeatures& features, std::size_t most) const {
  const std::vector<Vote> votes = votes_of(features);
  std::vector<std::span<const Vote>> pictures;
  for (std::size_t first = 0, last = 0; first < votes.size(); first = last) {
    while (last < votes.size() && votes[last].picture == votes[first].picture) ++last;
    if (last - first > 1) pictures.push_back(std::span(votes).subspan(first, last - first));
  }
  std::vector<std::optional<Agreement>> agreements(pictures.size());
  parallel_blocks(pictures.size(), 1,
                  [&](std::size_t i, std::size_t) { agreements[i] = agreement(pictures[i], features); });

  std::vector<VotedPicture> voted;
  for (std::size_t i = 0; i < pictures.size(); ++i)
    if (agreements[i])
      voted.push_back(
          {.position = pictures[i].front().picture, .weight = agreements[i]->weight, .box = agreements[i]->box});
  std::ranges::stable_sort(voted, std::greater<>(), &VotedPicture::weight);
  std::unordered_set<std::uint32_t> items;
  std::vector<VotedPicture> best;
  for (const VotedPicture& picture : voted) {
    if (best.size() == most) break;
    if (items.insert(item_of_[static_cast<std::size_t>(picture.position)]).second) best.push_back(picture);
  }
  return best;
}

}  // namespace cbir
