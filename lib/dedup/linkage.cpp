#include "lib/dedup/linkage.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <unordered_map>

namespace cbir {
namespace {

/// Groups as trees of rows; a root stands for its group.
class Linkage {
 public:
  explicit Linkage(std::size_t rows) : parent_(rows), size_(rows, 1), least_(rows), neighbours_(rows) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }

  void take(const ScoredPair& pair) {
    // Different ones: groups are joined when all pairs between them have come.
    const std::uint32_t a = root(pair.a), b = root(pair.b);
    if (add(a, b, 1) == std::uint64_t{size_[a]} * size_[b]) join(a, b, pair.score);
  }

  std::vector<LinkedGroup> groups() {
    std::vector<LinkedGroup> out;
    std::vector<std::uint32_t> number(parent_.size());  // of a root's group, from 1
    for (std::uint32_t row = 0; row < parent_.size(); ++row) {
      const std::uint32_t of = root(row);
      if (size_[of] == 1) continue;
      if (number[of] == 0) {
        out.push_back({.rows = {}, .least = least_[of]});
        number[of] = static_cast<std::uint32_t>(out.size());
      }
      out[number[of] - 1].rows.push_back(row);
    }
    return out;
  }

 private:
  static std::uint64_t key(std::uint32_t a, std::uint32_t b) {
    return std::uint64_t{std::min(a, b)} << 32 | std::max(a, b);
  }

  std::uint32_t root(std::uint32_t row) {
    while (parent_[row] != row) row = parent_[row] = parent_[parent_[row]];
    return row;
  }

  /// So many more pairs between two groups have come; returns how many have.
  std::uint64_t add(std::uint32_t a, std::uint32_t b, std::uint64_t pairs) {
    std::uint64_t& count = come_[key(a, b)];
    if (count == 0) {
      neighbours_[a].push_back(b);
      neighbours_[b].push_back(a);
    }
    return count += pairs;
  }

  void join(std::uint32_t a, std::uint32_t b, float score) {
    if (neighbours_[a].size() > neighbours_[b].size()) std::swap(a, b);
    come_.erase(key(a, b));
    for (const std::uint32_t other : neighbours_[a]) {  // some are no roots any more, and have no count
      const auto count = come_.find(key(a, other));
      if (count == come_.end()) continue;
      const std::uint64_t pairs = count->second;
      come_.erase(count);
      add(b, other, pairs);
    }
    neighbours_[a] = {};
    parent_[a] = b;
    size_[b] += size_[a];
    least_[b] = score;
  }

  std::vector<std::uint32_t> parent_, size_;
  std::vector<float> least_;
  std::unordered_map<std::uint64_t, std::uint64_t> come_;  // pairs between two groups that have come, if any
  std::vector<std::vector<std::uint32_t>> neighbours_;     // groups that a group has such pairs with
};

}  // namespace

std::vector<LinkedGroup> complete_linkage(std::size_t rows, std::vector<ScoredPair> pairs) {
  std::ranges::sort(pairs, [](const ScoredPair& x, const ScoredPair& y) {
    return std::tuple(-x.score, x.a, x.b) < std::tuple(-y.score, y.a, y.b);
  });
  Linkage linkage(rows);
  for (const ScoredPair& pair : pairs) linkage.take(pair);
  return linkage.groups();
}

}  // namespace cbir
