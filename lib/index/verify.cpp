#include <fmt/format.h>

#include <cmath>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/index.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/find_rows.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/structures.hpp"

namespace cbir {
namespace {

/// What is wrong with a row although all checksums match; empty if nothing is.
std::string fault(const OpenedIndex& index, const Segment& segment, std::size_t row) {
  const double length = norm(segment.vectors.row(row).first(index.info.dim));
  if (!(length <= kMaxNorm)) return "its vector holds numbers that are not finite or too large";
  if (index.info.metric == Metric::cosine && !(std::abs(length - 1) <= kUnitTolerance))
    return fmt::format("its vector has norm {:g}, 1 was expected", length);
  try {
    const RowInfo known = index.parse(segment, row);
    if (segment.path_hashes[row] != xxh3_64(as_bytes(known.path))) return "its path does not match the path's hash";
    if (!segment.label_hashes.empty() && segment.label_hashes[row] != label_hash(known))
      return "its label does not match the label's hash";
    return "";
  } catch (const DamagedFile& error) {
    return error.what();
  }
}

}  // namespace

IndexInfo verify_index(const std::string& path) {
  const OpenedIndex index(Container::open(path, Check::all));
  for (const Segment& segment : index.segments) {
    std::mutex mutex;
    std::size_t first_bad = segment.size();  // the lowest, whichever thread comes first
    parallel_blocks(segment.size(), 1024, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        if (fault(index, segment, i).empty()) continue;
        const std::lock_guard lock(mutex);
        first_bad = std::min(first_bad, i);
        return;
      }
    });
    if (first_bad < segment.size())
      throw DamagedFile(fmt::format("{}: damaged index: row {}: {}; build it again", display_path(path),
                                    segment.ids[first_bad], fault(index, segment, first_bad)));
    open_structure(index.container, index.meta, segment)->verify();
  }
  return index.info;
}

}  // namespace cbir
