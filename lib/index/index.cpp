#include <cbir/index/index.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/aligned.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/structures.hpp"
#include "lib/index/topk.hpp"

namespace cbir {
namespace {

constexpr std::size_t kMaxQueries = 1024;      // searched together
constexpr std::size_t kMaxHits = 1 << 22;      // that one thread collects
constexpr std::size_t kScoreBytes = 32 << 20;  // of scores against all rows, that one thread makes
constexpr std::size_t kTile = 6;               // the kernels' preferred multiple of queries

}  // namespace

struct Index::Impl : OpenedIndex {
  std::vector<std::unique_ptr<Structure>> structures;  // of the segments

  explicit Impl(Container&& file) : OpenedIndex(std::move(file)) {
    for (const Segment& segment : segments) structures.push_back(open_structure(container, meta, segment));
  }

  const Segment& segment_at(std::uint64_t position) const {
    if (position >= info.rows)
      throw UsageError(fmt::format("{}: row {} was asked for, the index has {}", display_path(container.name()),
                                   position, info.rows));
    return *std::prev(std::upper_bound(segments.begin(), segments.end(), position,
                                       [](std::uint64_t p, const Segment& s) { return p < s.first_position; }));
  }
  AlignedFloats prepare(MatrixView<const float> queries) const;
  std::vector<TopK> search(MatrixView<const float> prepared, std::size_t k, const SearchEffort& effort,
                           SearchCounts& counts) const;
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

std::uint64_t Index::id(std::uint64_t position) const {
  const Segment& segment = impl_->segment_at(position);
  return segment.ids[position - segment.first_position];
}

std::optional<std::uint64_t> Index::position_of(std::uint64_t id) const {
  for (const Segment& segment : impl_->segments) {
    const auto found = std::lower_bound(segment.ids.begin(), segment.ids.end(), id);
    if (found != segment.ids.end() && *found == id)
      return segment.first_position + static_cast<std::uint64_t>(found - segment.ids.begin());
  }
  return std::nullopt;
}

RowInfo Index::row(std::uint64_t position) const {
  const Segment& segment = impl_->segment_at(position);
  return impl_->parse(segment, position - segment.first_position);
}

std::vector<std::uint64_t> Index::find_path(std::string_view path) const {
  const std::uint64_t hash = xxh3_64(as_bytes(path));
  std::vector<std::uint64_t> found;
  for (const Segment& segment : impl_->segments)
    for (std::size_t i = 0; i < segment.size(); ++i)
      if (segment.path_hashes[i] == hash && impl_->parse(segment, i).path == path)
        found.push_back(segment.first_position + i);
  return found;
}

std::span<const float> Index::vector(std::uint64_t position) const {
  const Segment& segment = impl_->segment_at(position);
  return segment.vectors.row(position - segment.first_position).first(dim());
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
                                      SearchCounts& counts) const {
  std::vector<TopK> best(prepared.rows, TopK(k));
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const RowMask mask{.words = {}, .passing = segments[i].size()};
    if (effort.exact) PlainScan(segments[i], info.metric).search(prepared, effort, mask, best, counts);
    else structures[i]->search(prepared, effort, mask, best, counts);
  }
  return best;
}

std::vector<std::vector<Hit>> Index::search(MatrixView<const float> queries, std::size_t k) const {
  SearchCounts counts;
  return search(queries, k, {}, counts);
}

std::vector<std::vector<Hit>> Index::search(MatrixView<const float> queries, std::size_t k, const SearchEffort& effort,
                                            SearchCounts& counts) const {
  const AlignedFloats prepared = impl_->prepare(queries);
  const MatrixView<const float> all(prepared.data(), queries.rows, padded_dim(dim()));
  k = static_cast<std::size_t>(std::min<std::uint64_t>(k, size()));
  const std::size_t block = std::clamp<std::size_t>(kMaxHits / std::max<std::size_t>(k, 1), 1, kMaxQueries);
  std::vector<std::vector<Hit>> out;
  for (std::size_t first = 0; first < queries.rows; first += block) {
    const std::size_t end = std::min(queries.rows, first + block);
    for (TopK& best : impl_->search(slice(all, first, end), k, effort, counts)) out.push_back(best.take());
  }
  counts.queries += queries.rows;
  for (auto& hits : out)  // ids ascend with the position, so the order stays
    for (Hit& hit : hits) hit.id = id(hit.id);
  return out;
}

void Index::score_all(
    MatrixView<const float> queries,
    const std::function<void(std::size_t first_query, MatrixView<const float> scores)>& consume) const {
  const AlignedFloats prepared = impl_->prepare(queries);
  const MatrixView<const float> all(prepared.data(), queries.rows, padded_dim(dim()));
  // Blocks small enough for the memory, and for every thread to get some.
  const std::size_t fitting = kScoreBytes / sizeof(float) / size() / kTile * kTile;
  const std::size_t share = (queries.rows + worker_threads() - 1) / worker_threads();
  const std::size_t block = std::clamp<std::size_t>(std::min(fitting, share), 1, kMaxQueries);
  parallel_blocks(queries.rows, block, [&](std::size_t begin, std::size_t end) {
    std::vector<float> buffer((end - begin) * size());
    const MatrixView<float> scores(buffer.data(), end - begin, size());
    for (const Segment& segment : impl_->segments) {
      const MatrixView<float> part(buffer.data() + segment.first_position, end - begin, segment.size(), size());
      score_all_pairs(info().metric, slice(all, begin, end), segment.vectors, part);
    }
    consume(begin, scores);
  });
}

}  // namespace cbir
