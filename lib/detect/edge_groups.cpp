#include "edge_groups.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace cbir {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;
constexpr float kLeastStrength = .1F;  // of an edge
constexpr float kMostBend = .5F;       // of a group, in units of pi
constexpr float kLeastGroup = .5F;     // strength of its edges together
constexpr float kLeastAffinity = .05F;
constexpr std::int32_t kNone = -1, kFree = -2;

/// The angle between two directions, in units of pi: 0 to .5.
float bend(float a, float b) {
  const float difference = std::abs(a - b) / kPi;
  return difference > .5F ? 1 - difference : difference;
}

/// Grows groups from pixel to the neighbour whose direction differs least, as long as the turns together are few.
class Grower {
 public:
  Grower(const EdgeMap& edges, EdgeGroups& out) : edges_(edges), out_(out) {}

  std::int32_t run() {
    for (std::size_t i = 0; i < edges_.strength.size(); ++i)
      out_.group_of[i] = edges_.strength[i] > kLeastStrength ? kFree : kNone;
    std::int32_t count = 0;
    for (int y = 1; y + 1 < edges_.height; ++y)
      for (int x = 1; x + 1 < edges_.width; ++x)
        if (out_.group_of[edges_.at(x, y)] == kFree) grow(x, y, count++);
    return count;
  }

 private:
  struct Candidate {
    int x, y;
    float bend;
  };

  void grow(int x, int y, std::int32_t id) {
    candidates_.clear();
    float sum = 0;
    while (sum < kMostBend) {
      out_.group_of[edges_.at(x, y)] = id;
      add_neighbours(x, y);
      const auto best =
          std::ranges::min_element(candidates_, {}, [](const Candidate& candidate) { return candidate.bend; });
      if (best == candidates_.end()) return;
      x = best->x;
      y = best->y;
      sum += best->bend;
      candidates_.erase(best);
    }
  }

  void add_neighbours(int x, int y) {
    const float direction = edges_.direction[edges_.at(x, y)];
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        const std::size_t i = edges_.at(x + dx, y + dy);
        if (out_.group_of[i] != kFree) continue;
        const bool known = std::ranges::any_of(
            candidates_, [&](const Candidate& candidate) { return candidate.x == x + dx && candidate.y == y + dy; });
        if (!known) candidates_.push_back({x + dx, y + dy, bend(direction, edges_.direction[i])});
      }
  }

  const EdgeMap& edges_;
  EdgeGroups& out_;
  std::vector<Candidate> candidates_;
};

/// Sums over the edges of a group.
struct Sums {
  float strength = 0, x = 0, y = 0;
  float cosine = 0, sine = 0;  // of twice the direction

  float direction() const { return std::atan2(sine, cosine) / 2; }
};

std::vector<Sums> sums_of(const EdgeMap& edges, const EdgeGroups& out, std::int32_t count) {
  std::vector<Sums> sums(static_cast<std::size_t>(count));
  for (int y = 0; y < edges.height; ++y)
    for (int x = 0; x < edges.width; ++x) {
      const std::size_t i = edges.at(x, y);
      if (out.group_of[i] < 0) continue;
      Sums& sum = sums[static_cast<std::size_t>(out.group_of[i])];
      const float strength = edges.strength[i], twice = 2 * edges.direction[i];
      sum.strength += strength;
      sum.x += strength * static_cast<float>(x);
      sum.y += strength * static_cast<float>(y);
      sum.cosine += strength * std::cos(twice);
      sum.sine += strength * std::sin(twice);
    }
  return sums;
}

/// Drops groups that are too weak, and numbers the others anew.
std::vector<Sums> drop_weak(EdgeGroups& out, const std::vector<Sums>& sums) {
  std::vector<std::int32_t> number(sums.size(), kNone);
  std::vector<Sums> kept;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (sums[i].strength < kLeastGroup) continue;
    number[i] = static_cast<std::int32_t>(kept.size());
    kept.push_back(sums[i]);
  }
  for (std::int32_t& group : out.group_of) group = group < 0 ? kNone : number[static_cast<std::size_t>(group)];
  return kept;
}

/// Moves each group's place from the middle of its edges, which of an arc lies beside it, to the edge nearest to that.
/// Else a small box within the arc, which holds none of it, would hold it all.
void settle(EdgeGroups& out, const std::vector<Sums>& sums) {
  std::vector<float> nearest(out.groups.size(), std::numeric_limits<float>::max());
  std::size_t i = 0;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x, ++i) {
      if (out.group_of[i] < 0) continue;
      const auto group = static_cast<std::size_t>(out.group_of[i]);
      const float dx = static_cast<float>(x) - sums[group].x / sums[group].strength,
                  dy = static_cast<float>(y) - sums[group].y / sums[group].strength, distance = dx * dx + dy * dy;
      if (distance >= nearest[group]) continue;
      nearest[group] = distance;
      out.groups[group].x = x;
      out.groups[group].y = y;
    }
}

float affinity(const Sums& a, const Sums& b) {
  // The line from middle to middle runs along a contour that both are of; directions are across it.
  const float across = std::atan2(a.y / a.strength - b.y / b.strength, a.x / a.strength - b.x / b.strength) + kPi / 2;
  const float straight = std::cos(a.direction() - across) * std::cos(b.direction() - across);
  return straight * straight;
}

/// Links groups that come within two pixels of each other.
void link(EdgeGroups& out, const std::vector<Sums>& sums) {
  constexpr int kNear = 2;
  const auto width = static_cast<std::size_t>(out.width);
  for (int y = kNear; y + kNear < out.height; ++y)
    for (int x = kNear; x + kNear < out.width; ++x) {
      const std::int32_t from = out.group_of[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)];
      if (from < 0) continue;
      for (int dy = -kNear; dy <= kNear; ++dy)
        for (int dx = -kNear; dx <= kNear; ++dx) {
          const std::int32_t to =
              out.group_of[static_cast<std::size_t>(y + dy) * width + static_cast<std::size_t>(x + dx)];
          if (to <= from) continue;
          auto& links = out.groups[static_cast<std::size_t>(from)].links;
          if (std::ranges::any_of(links, [&](const EdgeGroups::Link& known) { return known.to == to; })) continue;
          links.push_back({to, affinity(sums[static_cast<std::size_t>(from)], sums[static_cast<std::size_t>(to)])});
        }
    }
  for (EdgeGroups::Group& group : out.groups)
    std::erase_if(group.links, [](const EdgeGroups::Link& known) { return known.affinity < kLeastAffinity; });
  // Both ways.
  for (std::size_t from = 0; from < out.groups.size(); ++from)
    for (std::size_t i = 0; i < out.groups[from].links.size(); ++i) {
      const EdgeGroups::Link known = out.groups[from].links[i];
      if (static_cast<std::size_t>(known.to) > from)
        out.groups[static_cast<std::size_t>(known.to)].links.push_back(
            {static_cast<std::int32_t>(from), known.affinity});
    }
}

}  // namespace

EdgeGroups group_edges(const EdgeMap& edges) {
  EdgeGroups out{.width = edges.width, .height = edges.height};
  out.group_of.resize(edges.strength.size());
  const std::int32_t count = Grower(edges, out).run();
  const std::vector<Sums> sums = drop_weak(out, sums_of(edges, out, count));
  for (const Sums& sum : sums) out.groups.push_back({.strength = sum.strength});
  settle(out, sums);
  link(out, sums);
  out.strength.resize(edges.strength.size());
  for (std::size_t i = 0; i < out.strength.size(); ++i) out.strength[i] = out.group_of[i] >= 0 ? edges.strength[i] : 0;
  return out;
}

}  // namespace cbir
