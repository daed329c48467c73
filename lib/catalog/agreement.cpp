#include "agreement.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <vector>

namespace cbir {
namespace {

using Complex = std::complex<double>;

// A lens and a change of sight leave so much of a similarity transform.
constexpr double kSameScale = 2;    // factor
constexpr double kSameTurn = .79;   // radians
constexpr double kSamePlace = .25;  // of the longer side of what is seen
constexpr std::size_t kMostSeeds = 64;

/// The map z -> turn z + shift that a vote says takes the item's picture to where it is seen.
struct Pose {
  Complex turn, shift;

  Complex operator()(Complex z) const { return turn * z + shift; }
};

Complex place(const Spot& spot) { return {spot.x, spot.y}; }

bool is_posed(const PlacedVote& vote) {
  return vote.known.size > 0 && vote.seen.size > 0 && vote.known.angle >= 0 && vote.seen.angle >= 0;
}

Pose pose_of(const PlacedVote& vote) {
  const double angle = (vote.seen.angle - vote.known.angle) * std::numbers::pi / 180;
  const Complex turn = std::polar(static_cast<double>(vote.seen.size / vote.known.size), angle);
  return {turn, place(vote.seen) - turn * place(vote.known)};
}

Box bounds(std::span<const Complex> points) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Box box{kInfinity, kInfinity, -kInfinity, -kInfinity};
  for (const Complex& point : points)
    box = {std::min(box.x1, point.real()), std::min(box.y1, point.imag()), std::max(box.x2, point.real()),
           std::max(box.y2, point.imag())};
  return box;
}

/// Votes of one group, each known keypoint once.
class Group {
 public:
  explicit Group(std::span<const PlacedVote> votes) : votes_(votes) {}

  template <typename Agrees>
  void gather(Agrees agrees) {
    members_.clear();
    weight_ = 0;
    for (std::size_t i = 0; i < votes_.size(); ++i) {
      if (!agrees(i) || counts(votes_[i].number)) continue;
      members_.push_back(i);
      weight_ += static_cast<double>(votes_[i].weight);
    }
  }
  double weight() const { return weight_; }
  const std::vector<std::size_t>& members() const { return members_; }

 private:
  bool counts(std::uint32_t number) const {
    return std::ranges::any_of(members_, [&](std::size_t i) { return votes_[i].number == number; });
  }

  std::span<const PlacedVote> votes_;
  std::vector<std::size_t> members_;
  double weight_ = 0;
};

/// The picture's outline at the mean of what the members say of its middle and size, turned as the seed says.
Box mean_outline(const std::vector<Pose>& poses, const Group& group, std::span<const PlacedVote> votes,
                 const Pose& seed, Complex size) {
  Complex middle = 0;
  double log_scale = 0;
  for (const std::size_t i : group.members()) {
    const auto weight = static_cast<double>(votes[i].weight);
    middle += weight * poses[i](size / 2.);
    log_scale += weight * std::log(std::abs(poses[i].turn));
  }
  middle /= group.weight();
  const Complex turn = std::polar(std::exp(log_scale / group.weight()), std::arg(seed.turn));
  const Complex half = size / 2.;
  const Complex corners[] = {middle + turn * half, middle - turn * half, middle + turn * std::conj(half),
                             middle - turn * std::conj(half)};
  return bounds(corners);
}

std::optional<Agreement> of_poses(std::span<const PlacedVote> votes, int width, int height) {
  std::vector<Pose> poses;
  for (const PlacedVote& vote : votes) poses.push_back(pose_of(vote));
  const double side = std::max(width, height);
  Group group(votes);
  std::optional<Agreement> best;
  for (std::size_t seed = 0; seed < std::min(votes.size(), kMostSeeds); ++seed) {
    const Pose& pose = poses[seed];
    const double near = kSamePlace * side * std::abs(pose.turn);
    group.gather([&](std::size_t i) {
      const Complex ratio = poses[i].turn / pose.turn;
      const double scale = std::abs(ratio);
      return scale < kSameScale && scale > 1 / kSameScale && std::abs(std::arg(ratio)) < kSameTurn &&
             std::abs(pose(place(votes[i].known)) - place(votes[i].seen)) < near;
    });
    if (group.members().size() < 2 || (best && group.weight() <= best->weight)) continue;
    best = Agreement{
        .weight = group.weight(),
        .votes = group.members().size(),
        .box = mean_outline(poses, group, votes, pose, {static_cast<double>(width), static_cast<double>(height)})};
  }
  return best;
}

std::optional<Agreement> of_places(std::span<const PlacedVote> votes, double reach) {
  Group group(votes);
  std::optional<Agreement> best;
  for (std::size_t seed = 0; seed < std::min(votes.size(), kMostSeeds); ++seed) {
    const Complex middle = place(votes[seed].seen);
    group.gather([&](std::size_t i) { return std::abs(place(votes[i].seen) - middle) < reach; });
    if (group.members().size() < 2 || (best && group.weight() <= best->weight)) continue;
    std::vector<Complex> seen;
    for (const std::size_t i : group.members()) seen.push_back(place(votes[i].seen));
    best = Agreement{.weight = group.weight(), .votes = seen.size(), .box = bounds(seen)};
  }
  return best;
}

}  // namespace

std::optional<Agreement> agreement_of(std::span<const PlacedVote> votes, int width, int height, double reach) {
  return std::ranges::all_of(votes, is_posed) ? of_poses(votes, width, height) : of_places(votes, reach);
}

}  // namespace cbir
