#include "lib/dedup/identical.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>

namespace cbir {

std::vector<std::uint32_t> first_of_same(MatrixView<const float> rows) {
  std::vector<std::uint64_t> hashes(rows.rows);
  parallel_blocks(rows.rows, 256, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) hashes[i] = xxh3_64(std::as_bytes(rows.row(i)));
  });
  std::vector<std::uint32_t> order(rows.rows);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(
      order, [&](std::uint32_t a, std::uint32_t b) { return hashes[a] != hashes[b] ? hashes[a] < hashes[b] : a < b; });
  const auto same = [&](std::uint32_t a, std::uint32_t b) {
    return std::memcmp(rows.row(a).data(), rows.row(b).data(), rows.cols * sizeof(float)) == 0;
  };
  std::vector<std::uint32_t> first(rows.rows), kinds;  // kinds: different rows of one hash
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || hashes[order[i]] != hashes[order[i - 1]]) kinds.clear();
    const auto known = std::ranges::find_if(kinds, [&](std::uint32_t kind) { return same(kind, order[i]); });
    first[order[i]] = known == kinds.end() ? order[i] : *known;
    if (known == kinds.end()) kinds.push_back(order[i]);
  }
  return first;
}

}  // namespace cbir
