#include <cbir/index/index.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <typeinfo>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/aligned.hpp"
#include "lib/index/filter.hpp"
#include "lib/index/find_rows.hpp"
#include "lib/index/masked_scan.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/structures.hpp"
#include "lib/index/topk.hpp"

namespace cbir {
namespace {

constexpr std::size_t kMaxQueries = 1024;      // searched together
constexpr std::size_t kMaxHits = 1 << 22;      // that one thread collects
constexpr std::size_t kSparse = 8;             // if fewer than one in so many rows pass, they are gathered
constexpr std::size_t kScoreBytes = 32 << 20;  // of scores against all rows, that one thread makes
constexpr std::size_t kTile = 6;               // the kernels' preferred multiple of queries

}  // namespace

struct Index::Impl : OpenedIndex {
  std::vector<std::unique_ptr<Structure>> structures;  // of the segments

  explicit Impl(Container&& file) : OpenedIndex(std::move(file)) {
    for (const Segment& segment : segments) structures.push_back(open_structure(container, meta, segment));
  }

  RowPlace row_at(std::uint64_t position) const {
    if (position >= info.rows)
      throw UsageError(fmt::format("{}: row {} was asked for, the index has {}", display_path(container.name()),
                                   position, info.rows));
    return place(position);
  }
  /// Of a row by its position in the file, which counts removed rows, too.
  std::uint64_t id_of_physical(std::uint64_t position) const {
    const Segment& segment =
        *std::prev(std::upper_bound(segments.begin(), segments.end(), position,
                                    [](std::uint64_t p, const Segment& s) { return p < s.first_position; }));
    return segment.ids[position - segment.first_position];
  }
  std::vector<std::uint64_t> positions(const std::vector<RowPlace>& places) const {
    std::vector<std::uint64_t> out(places.size());
    std::transform(places.begin(), places.end(), out.begin(), [&](const RowPlace& p) { return position(p); });
    return out;
  }
  /// Of the rows in the file, those that may be returned.
  double share(const RowFilter* filter) const {
    const std::uint64_t passing = filter ? filter->passing() : info.rows;
    return static_cast<double>(passing) / static_cast<double>(info.rows + info.removed);
  }
  /// Of the rows, as times those that the index was made of.
  double growth() const {
    return static_cast<double>(info.rows + info.removed) / static_cast<double>(segments.front().size());
  }
  AlignedFloats prepare(MatrixView<const float> queries) const;
  std::vector<TopK> search(MatrixView<const float> prepared, std::size_t k, const SearchEffort& effort,
                           SearchCounts& counts, const RowFilter* filter) const;
};

SearchCounts& SearchCounts::operator+=(const SearchCounts& other) {
  queries += other.queries;
  compared += other.compared;
  scored += other.scored;
  return *this;
}

Index::Index(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Index::~Index() = default;
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;

Index Index::open(const std::string& path, Check check) {
  return Index(std::make_unique<Impl>(Container::open(path, check)));
}

const IndexInfo& Index::info() const noexcept { return impl_->info; }
const std::string& Index::path() const noexcept { return impl_->container.name(); }

std::uint64_t Index::id(std::uint64_t position) const { return impl_->OpenedIndex::id(impl_->row_at(position)); }

std::optional<std::uint64_t> Index::position_of(std::uint64_t id) const {
  const std::vector<Segment>& segments = impl_->segments;
  const auto after = std::upper_bound(segments.begin(), segments.end(), id,
                                      [](std::uint64_t i, const Segment& s) { return i < s.ids.front(); });
  if (after == segments.begin()) return std::nullopt;
  const auto segment = std::prev(after);
  const auto found = std::lower_bound(segment->ids.begin(), segment->ids.end(), id);
  const RowPlace place{static_cast<std::size_t>(segment - segments.begin()),
                       static_cast<std::size_t>(found - segment->ids.begin())};
  if (found == segment->ids.end() || *found != id || !impl_->live[place.segment][place.row]) return std::nullopt;
  return impl_->position(place);
}

RowInfo Index::row(std::uint64_t position) const {
  const RowPlace place = impl_->row_at(position);
  return impl_->parse(impl_->segments[place.segment], place.row);
}

std::vector<std::uint64_t> Index::find_path(std::string_view path) const {
  const std::string wanted(path);
  return impl_->positions(find_paths(*impl_, {&wanted, 1}).front());
}

std::vector<std::uint64_t> Index::find_label(std::string_view label) const {
  return impl_->positions(cbir::find_label(*impl_, label));
}

RowFilter Index::filter(const RowCriteria& criteria) const { return RowFilter(filter_rows(*impl_, criteria)); }

RowFilter::RowFilter(Masks masks) : masks_(std::make_unique<Masks>(std::move(masks))) {}
RowFilter::~RowFilter() = default;
RowFilter::RowFilter(RowFilter&&) noexcept = default;
RowFilter& RowFilter::operator=(RowFilter&&) noexcept = default;

std::uint64_t RowFilter::passing() const noexcept {
  std::uint64_t rows = 0;
  for (const Masks::OfSegment& segment : masks_->segments) rows += segment.passing;
  return rows;
}

std::span<const float> Index::vector(std::uint64_t position) const {
  const RowPlace place = impl_->row_at(position);
  return impl_->segments[place.segment].vectors.row(place.row).first(dim());
}

/// Queries checked, normalised under cosine, and padded as the rows are.
AlignedFloats Index::Impl::prepare(MatrixView<const float> queries) const {
  if (queries.cols != info.dim)
    throw Incompatible(fmt::format("{}: queries have {} dimensions, the index has {}", display_path(container.name()),
                                   queries.cols, info.dim));
  const std::size_t stride = padded_dim(info.dim);
  AlignedFloats out(queries.rows * stride);
  for (std::size_t q = 0; q < queries.rows; ++q) {
    const std::span<float> to(out.data() + q * stride, queries.cols);
    std::copy_n(queries.row(q).data(), queries.cols, to.data());
    switch (prepare_vector(to, info.metric == Metric::cosine)) {
      case VectorState::fine:
        break;
      case VectorState::not_finite:
        throw DamagedFile(fmt::format("query {} holds a NaN or an infinity", q));
      case VectorState::too_long:
        throw DamagedFile(fmt::format("query {} is longer than {:g}", q, kMaxNorm));
      case VectorState::zero:
        throw DamagedFile(fmt::format("query {} is all zeros and has no direction to compare by cosine", q));
    }
  }
  return out;
}

std::vector<TopK> Index::Impl::search(MatrixView<const float> prepared, std::size_t k, const SearchEffort& effort,
                                      SearchCounts& counts, const RowFilter* filter) const {
  std::vector<TopK> best(prepared.rows, TopK(k));
  std::unique_ptr<PreparedQueries> shared;
  const std::type_info* kind = nullptr;  // of structure that it is for
  const auto finish = [&] {
    if (shared) shared->finish(prepared, best, counts);
  };
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const RowMask mask = filter ? filter->masks().segments[i].mask() : live[i].mask();
    if (mask.passing == 0) continue;
    if (!effort.exact) {
      const Structure& structure = *structures[i];
      if (segments.size() > 1 && (kind == nullptr || *kind != typeid(structure))) {
        finish();
        kind = &typeid(structure);
        shared = structure.prepare(prepared, effort, {.k = k, .share = share(filter), .growth = growth()});
      }
      if (shared) structure.search_prepared(*shared, prepared, effort, mask, best, counts);
      else structure.search(prepared, effort, mask, best, counts);
    } else if (!mask.every() && mask.passing < segment.size() / kSparse)
      scan_passing(segment, info.metric, prepared, mask, best, counts);
    else PlainScan(segment, info.metric).search(prepared, effort, mask, best, counts);
  }
  finish();
  return best;
}

std::vector<std::vector<Hit>> Index::search(MatrixView<const float> queries, std::size_t k) const {
  SearchCounts counts;
  return search(queries, k, {}, counts);
}

std::vector<std::vector<Hit>> Index::search(MatrixView<const float> queries, std::size_t k, const SearchEffort& effort,
                                            SearchCounts& counts, const RowFilter* filter) const {
  const AlignedFloats prepared = impl_->prepare(queries);
  const MatrixView<const float> all(prepared.data(), queries.rows, padded_dim(dim()));
  k = static_cast<std::size_t>(std::min<std::uint64_t>(k, size()));
  const std::size_t block = std::clamp<std::size_t>(kMaxHits / std::max<std::size_t>(k, 1), 1, kMaxQueries);
  std::vector<std::vector<Hit>> out;
  for (std::size_t first = 0; first < queries.rows; first += block) {
    const std::size_t end = std::min(queries.rows, first + block);
    for (TopK& best : impl_->search(slice(all, first, end), k, effort, counts, filter)) out.push_back(best.take());
  }
  counts.queries += queries.rows;
  for (auto& hits : out)  // ids ascend with the position, so the order stays
    for (Hit& hit : hits) hit.id = impl_->id_of_physical(hit.id);
  return out;
}

void Index::score_all(
    MatrixView<const float> queries,
    const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const {
  const AlignedFloats prepared = impl_->prepare(queries);
  const MatrixView<const float> all(prepared.data(), queries.rows, padded_dim(dim()));
  // Blocks small enough for the memory, and for every thread to get some. A segment's scores are made with those of its
  // removed rows, which are then left out.
  const std::uint64_t columns = std::max<std::uint64_t>(size() + info().removed, 1);
  const std::size_t fitting = kScoreBytes / sizeof(float) / columns / kTile * kTile;
  const std::size_t share = (queries.rows + worker_threads() - 1) / worker_threads();
  const std::size_t block = std::clamp<std::size_t>(std::min(fitting, share), 1, kMaxQueries);
  parallel_blocks(queries.rows, block, [&](std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    std::vector<float> buffer(count * size()), all_rows;
    for (std::size_t i = 0; i < impl_->segments.size(); ++i) {
      const Segment& segment = impl_->segments[i];
      const LiveRows& live = impl_->live[i];
      float* const to = buffer.data() + impl_->first_lives[i];
      if (live.every()) {
        score_all_pairs(info().metric, slice(all, begin, end), segment.vectors, {to, count, segment.size(), size()});
        continue;
      }
      all_rows.resize(count * segment.size());
      const MatrixView<float> scores(all_rows.data(), count, segment.size());
      score_all_pairs(info().metric, slice(all, begin, end), segment.vectors, scores);
      for (std::size_t q = 0; q < count; ++q) {
        float* next = to + q * size();
        for (std::size_t row = 0; row < segment.size(); ++row)
          if (live[row]) *next++ = scores.row(q)[row];
      }
    }
    consume(begin, MatrixView<const float>(buffer.data(), count, size()));
  });
}

}  // namespace cbir
