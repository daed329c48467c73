#include "lib/index/lsh.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include <cbir/base/workspaces.hpp>
#include "lib/index/lsh_kernels.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/scan_kernels.hpp"

namespace cbir {
namespace {

constexpr std::size_t kTaskBytes = 1 << 20;  // of codes that a thread takes at a time
constexpr std::size_t kTileBytes = 1 << 14;  // of codes that stay in the level 1 cache while queries pass

struct Candidate {
  std::uint32_t row;
  std::uint16_t distance;
};

/// Keeps at least the `wanted` nearest rows of those offered, and few others: all up to the least distance within which
/// there are so many.
class Nearest {
 public:
  Nearest(std::size_t wanted, std::size_t bits)
      : wanted_(wanted), limit_(static_cast<std::uint16_t>(bits)), counts_(bits + 1) {}

  std::uint16_t limit() const noexcept { return limit_; }
  void clear() { *this = Nearest(wanted_, counts_.size() - 1); }
  void offer(std::uint32_t row, std::uint16_t distance) {
    if (distance > limit_) return;
    kept_.push_back({row, distance});
    ++counts_[distance];
    ++total_;
    while (total_ - counts_[limit_] >= wanted_) total_ -= counts_[limit_--];
    if (kept_.size() > 2 * total_ + kSpare) drop();
  }

  /// The `wanted` nearest of several collections; of those at the same distance, the first rows.
  static void merge(std::span<const Nearest* const> parts, std::size_t wanted, std::vector<std::uint32_t>& rows) {
    std::size_t limit = 0, within = 0;
    for (;; ++limit) {
      std::size_t here = 0;
      for (const Nearest* part : parts) here += part->counts_[limit];
      if (within + here >= wanted || limit + 1 == parts[0]->counts_.size()) break;
      within += here;
    }
    rows.clear();
    std::vector<std::uint32_t> last;
    for (const Nearest* part : parts)
      for (const Candidate& one : part->kept_)
        if (one.distance <= limit) (one.distance == limit ? last : rows).push_back(one.row);
    const std::size_t missing = std::min(last.size(), wanted - rows.size());
    std::nth_element(last.begin(), last.begin() + static_cast<std::ptrdiff_t>(missing), last.end());
    rows.insert(rows.end(), last.begin(), last.begin() + static_cast<std::ptrdiff_t>(missing));
  }

 private:
  static constexpr std::size_t kSpare = 1024;

  void drop() {
    std::erase_if(kept_, [&](const Candidate& one) { return one.distance > limit_; });
  }

  std::size_t wanted_, total_ = 0;  ///< total_: those within the limit
  std::uint16_t limit_;
  std::vector<std::uint32_t> counts_;  ///< of all that were taken, by distance
  std::vector<Candidate> kept_;
};

/// What one thread needs to scan: collections, one a query, and room for distances.
struct Scratch {
  std::vector<Nearest> nearest;
  std::vector<std::uint16_t> distances;
  std::vector<std::uint32_t> within;
};

/// What one thread needs to score.
struct Scoring {
  std::vector<std::uint32_t> found, rows;  ///< in all segments, and in one
  std::vector<float> scores;
  std::vector<const Nearest*> parts;
};

/// Which of the rows [first, first + kHammingGroup) may be returned.
std::uint32_t returnable(const RowMask& mask, std::size_t first, std::size_t rows) {
  const std::uint32_t there =
      rows - first >= kHammingGroup ? ~std::uint32_t{0} : (std::uint32_t{1} << (rows - first)) - 1;
  if (mask.every()) return there;
  return there & static_cast<std::uint32_t>(mask.words[first / 64] >> (first % 64));
}

/// The scan of a segment: what is the same for all its tasks.
struct Scan {
  std::span<const std::uint8_t> codes;
  std::size_t code_bytes, rows, queries;
  const std::uint8_t* prepared;
  const RowMask& mask;
  std::uint32_t base;  ///< of the segment's rows in the collections

  std::size_t group_bytes() const { return code_bytes * kHammingGroup; }
  std::size_t tile_groups() const { return tile_groups_of(code_bytes); }
  static std::size_t tile_groups_of(std::size_t code_bytes) {
    return std::max<std::size_t>(1, kTileBytes / (code_bytes * kHammingGroup));
  }

  void run(std::size_t first_group, std::size_t last_group, Scratch& scratch) const {
    for (std::size_t begin = first_group; begin < last_group; begin += tile_groups())
      for (std::size_t q = 0; q < queries; q += kHammingQueries)
        compare(begin, std::min(last_group, begin + tile_groups()), q, scratch);
  }

 private:
  void compare(std::size_t begin, std::size_t end, std::size_t query, Scratch& scratch) const {
    HammingTile tile{.groups = codes.data() + begin * group_bytes(),
                     .group_count = end - begin,
                     .code_bytes = code_bytes,
                     .query_count = std::min(kHammingQueries, queries - query)};
    for (std::size_t q = 0; q < tile.query_count; ++q) {
      tile.queries[q] = prepared + (query + q) * group_bytes();
      tile.limits[q] = scratch.nearest[query + q].limit();
    }
    hamming_distances(tile, scratch.distances.data(), scratch.within.data());
    for (std::size_t q = 0; q < tile.query_count; ++q) {
      Nearest& nearest = scratch.nearest[query + q];
      for (std::size_t g = 0; g < tile.group_count; ++g) {
        const std::size_t at = q * tile.group_count + g, first = (begin + g) * kHammingGroup;
        std::uint32_t found = scratch.within[at];
        if (found == 0) continue;
        for (found &= returnable(mask, first, rows); found != 0; found &= found - 1) {
          const auto i = static_cast<std::size_t>(std::countr_zero(found));
          nearest.offer(base + static_cast<std::uint32_t>(first + i), scratch.distances[at * kHammingGroup + i]);
        }
      }
    }
  }
};

/// A segment that was searched; its rows in the collections begin at `base`.
struct Part {
  std::uint32_t base;
  const Segment* segment;
};

/// Queries as the kernel wants them, and the nearest rows up to now.
struct Prepared : PreparedQueries {
  Prepared(const Hyperplanes& planes, Metric space, MatrixView<const float> queries, std::size_t candidates)
      : metric(space),
        wanted(candidates),
        code_bytes(planes.code_bytes()),
        pool([this, bits = code_bytes * 8, queries] {
          const std::size_t tile = Scan::tile_groups_of(code_bytes) * kHammingQueries;
          return std::make_unique<Scratch>(Scratch{std::vector<Nearest>(queries.rows, Nearest(wanted, bits)),
                                                   std::vector<std::uint16_t>(tile * kHammingGroup),
                                                   std::vector<std::uint32_t>(tile)});
        }) {
    std::vector<std::uint8_t> of_queries(queries.rows * code_bytes);
    planes.encode_queries(queries, of_queries);
    codes.resize(of_queries.size() * kHammingGroup);
    for (std::size_t q = 0; q < queries.rows; ++q)
      prepare_hamming_query(std::span(of_queries).subspan(q * code_bytes, code_bytes),
                            codes.data() + q * code_bytes * kHammingGroup);
  }

  /// Where the rows of one more segment begin. If they would be too many to be told apart, those before are done with
  /// first.
  std::uint32_t add_part(const Segment& segment, MatrixView<const float> queries, std::span<TopK> best,
                         SearchCounts& counts) {
    if (rows + segment.size() > std::numeric_limits<std::uint32_t>::max()) finish(queries, best, counts);
    parts.push_back({static_cast<std::uint32_t>(rows), &segment});
    rows += segment.size();
    return parts.back().base;
  }

  void finish(MatrixView<const float> queries, std::span<TopK> best, SearchCounts& counts) override;

  Metric metric;
  std::size_t wanted, code_bytes;
  std::vector<std::uint8_t> codes;
  WorkspacePool<Scratch> pool;
  std::vector<Part> parts;
  std::uint64_t rows = 0;  ///< of all parts
};

void Prepared::finish(MatrixView<const float> queries, std::span<TopK> best, SearchCounts& counts) {
  if (parts.empty()) return;
  std::atomic<std::uint64_t> scored = 0;
  WorkspacePool<Scoring> scorings([] { return std::make_unique<Scoring>(); });
  parallel_blocks(queries.rows, 1, [&](std::size_t q, std::size_t) {
    scorings.with([&](Scoring& scoring) {
      scoring.parts.clear();
      for (const auto& scratch : pool.all()) scoring.parts.push_back(&scratch->nearest[q]);
      Nearest::merge(scoring.parts, wanted, scoring.found);
      std::ranges::sort(scoring.found);  // so that each segment's lie together
      scored += scoring.found.size();
      auto found = scoring.found.begin();
      for (const Part& part : parts) {
        const std::uint64_t end = std::uint64_t{part.base} + part.segment->size();
        scoring.rows.clear();
        for (; found != scoring.found.end() && *found < end; ++found) scoring.rows.push_back(*found - part.base);
        scoring.scores.resize(scoring.rows.size());
        score_rows(metric, queries.row(q), part.segment->vectors, scoring.rows, scoring.scores.data());
        for (std::size_t i = 0; i < scoring.rows.size(); ++i)
          best[q].offer(&scoring.scores[i], 1, part.segment->first_position + scoring.rows[i]);
      }
    });
  });
  counts.scored += scored;
  for (const auto& scratch : pool.all())
    for (Nearest& nearest : scratch->nearest) nearest.clear();
  parts.clear();
  rows = 0;
}

}  // namespace

LshStructure::LshStructure(const Container& container, const IndexMeta& meta, const Segment& segment)
    : name_(container.name()),
      segment_(segment),
      metric_(meta.metric),
      bits_(meta.parameter("bits", name_)),
      candidates_(meta.parameter("candidates", name_)) {
  const Bytes numbers = container.content(0, SectionKind::hyperplanes, ElementType::float32);
  planes_ = Hyperplanes({reinterpret_cast<const float*>(numbers.data()), numbers.size() / sizeof(float)}, bits_,
                        meta.dim, metric_, name_);
  const Bytes codes = container.content(segment.number, SectionKind::hyperplane_codes, ElementType::byte);
  const std::size_t groups = (segment.size() + kHammingGroup - 1) / kHammingGroup;
  if (codes.size() != groups * kHammingGroup * planes_.code_bytes())
    throw DamagedFile(fmt::format("{}: damaged index: segment {}: there are not as many codes as rows; build it again",
                                  display_path(name_), segment.number));
  codes_ = {reinterpret_cast<const std::uint8_t*>(codes.data()), codes.size()};
}

std::size_t LshStructure::wanted(const SearchEffort& effort, std::size_t k, double growth) const {
  return std::max(effort.candidates != 0 ? effort.candidates : grown(candidates_, growth), k);
}

void LshStructure::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                          std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || best[0].capacity() == 0 || mask.passing == 0) return;
  Prepared alone(planes_, metric_, queries, std::min(wanted(effort, best[0].capacity()), mask.passing));
  search_prepared(alone, queries, effort, mask, best, counts);
  alone.finish(queries, best, counts);
}

std::unique_ptr<PreparedQueries> LshStructure::prepare(MatrixView<const float> queries, const SearchEffort& effort,
                                                       const SearchScope& scope) const {
  return std::make_unique<Prepared>(planes_, metric_, queries, wanted(effort, scope.k, scope.growth));
}

void LshStructure::search_prepared(PreparedQueries& prepared, MatrixView<const float> queries, const SearchEffort&,
                                   const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || best[0].capacity() == 0 || mask.passing == 0) return;
  auto* const mine = dynamic_cast<Prepared*>(&prepared);
  if (mine == nullptr) throw Error(ExitCode::internal, "queries that were prepared for another type of index");
  const Scan scan{codes_,
                  planes_.code_bytes(),
                  segment_.size(),
                  queries.rows,
                  mine->codes.data(),
                  mask,
                  mine->add_part(segment_, queries, best, counts)};
  parallel_blocks(codes_.size() / scan.group_bytes(), std::max<std::size_t>(1, kTaskBytes / scan.group_bytes()),
                  [&](std::size_t begin, std::size_t end) {
                    mine->pool.with([&](Scratch& scratch) { scan.run(begin, end, scratch); });
                  });
  counts.compared += segment_.size() * queries.rows;
}

/// Codes that are only wrong make a search worse, not unsafe; here they are made again. A processor without fused
/// multiply-add rounds differently, and a vector that lies on a hyperplane may then change sides.
void LshStructure::verify() const {
  constexpr std::size_t kBlock = kHammingGroup * 256;
  const std::size_t bytes = planes_.code_bytes(), rows = segment_.size();
  std::vector<std::uint8_t> codes(kBlock * bytes);
  for (std::size_t begin = 0; begin < rows; begin += kBlock) {
    const std::size_t count = std::min(kBlock, rows - begin);
    planes_.encode_rows(slice(segment_.vectors, begin, begin + count), codes);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* stored =
          codes_.data() + (begin + i) / kHammingGroup * bytes * kHammingGroup + i % kHammingGroup;
      int differing = 0;
      for (std::size_t byte = 0; byte < bytes; ++byte)
        differing += std::popcount(unsigned{stored[byte * kHammingGroup]} ^ codes[i * bytes + byte]);
      if (differing > static_cast<int>(bits_ / 16))
        throw DamagedFile(fmt::format("{}: damaged index: row {} has the code of another vector; build it again",
                                      display_path(name_), segment_.first_position + begin + i));
    }
  }
}

}  // namespace cbir
