#include <fmt/format.h>

#include <atomic>
#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/normalize.hpp"

namespace cbir {

IndexInfo verify_index(const std::string& path) {
  const Index index = Index::open(path, Check::all);
  // The lowest row that fails is reported, whichever thread comes first.
  constexpr std::uint64_t kNone = UINT64_MAX;
  std::atomic<std::uint64_t> bad_vector = kNone, bad_row = kNone;
  const auto lower = [](std::atomic<std::uint64_t>& lowest, std::uint64_t row) {
    std::uint64_t seen = lowest.load();
    while (row < seen && !lowest.compare_exchange_weak(seen, row)) {
    }
  };
  parallel_blocks(index.size(), 1024, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      const double length = norm(index.vector(i));
      const bool unit = std::abs(length - 1) <= kUnitTolerance;
      if (!(length <= kMaxNorm) || (index.info().metric == Metric::cosine && !unit)) lower(bad_vector, i);
      if (!index.row_is_sound(i)) lower(bad_row, i);
    }
  });
  const auto refuse = [&](std::uint64_t row, std::string_view what) {
    if (row != kNone)
      throw DamagedFile(fmt::format("{}: damaged index: {} of row {}; build it again", display_path(path), what, row));
  };
  refuse(bad_vector, "the checksums match, but a number is out of range in the vector");
  refuse(bad_row, "the checksums match, but the path disagrees with its hash or cannot be read: description");
  return index.info();
}

}  // namespace cbir
