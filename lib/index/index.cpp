#include <cbir/index/index.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/aligned.hpp"
#include "lib/index/opened.hpp"
#include "lib/index/topk.hpp"

namespace cbir {
namespace {

constexpr std::size_t kCacheBytes = 256 * 1024;  // rows, or scores, that are worked on at a time
constexpr std::size_t kTaskBytes = 2 << 20;      // of rows that a thread takes at a time
constexpr std::size_t kMaxQueries = 256;         // scored together
constexpr std::size_t kMaxHits = 1 << 22;        // that one thread collects
constexpr std::size_t kScoreBytes = 32 << 20;    // of scores against all rows, that one thread makes
constexpr std::size_t kTile = 6;                 // the kernels' preferred multiple of queries

void score(Metric metric, MatrixView<const float> queries, MatrixView<const float> rows, MatrixView<float> out) {
  if (metric == Metric::l2) negative_squared_distances(queries, rows, out);
  else inner_products(queries, rows, out);
}

template <typename T>
MatrixView<T> slice(MatrixView<T> matrix, std::size_t begin, std::size_t end) {
  return {matrix.data + begin * matrix.stride, end - begin, matrix.cols, matrix.stride};
}

/// What one thread needs for a while: collectors, one a query, and room for scores.
struct Workspace {
  std::vector<TopK> best;
  std::vector<float> scores;
};

/// Lends workspaces to whichever thread comes. As the k best of a set do not depend on how it is divided, neither do
/// results on who worked where.
class WorkspacePool {
 public:
  WorkspacePool(std::size_t queries, std::size_t k, std::size_t scores) : queries_(queries), k_(k), scores_(scores) {}

  std::unique_ptr<Workspace> borrow() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto out = std::move(idle_.back());
        idle_.pop_back();
        return out;
      }
    }
    return std::make_unique<Workspace>(Workspace{std::vector<TopK>(queries_, TopK(k_)), std::vector<float>(scores_)});
  }
  void give_back(std::unique_ptr<Workspace> workspace) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(workspace));
  }
  std::vector<std::unique_ptr<Workspace>>& all() { return idle_; }

 private:
  std::size_t queries_, k_, scores_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

/// Rows [begin, end) of a segment: what a thread takes at a time.
struct Task {
  const Segment* segment;
  std::size_t begin, end;
};

}  // namespace

struct Index::Impl : OpenedIndex {
  using OpenedIndex::OpenedIndex;

  const Segment& segment_at(std::uint64_t position) const {
    if (position >= info.rows)
      throw UsageError(fmt::format("{}: row {} was asked for, the index has {}", display_path(container.name()),
                                   position, info.rows));
    return *std::prev(std::upper_bound(segments.begin(), segments.end(), position,
                                       [](std::uint64_t p, const Segment& s) { return p < s.first_position; }));
  }
  AlignedFloats prepare(MatrixView<const float> queries) const;
  std::vector<Task> tasks() const;
  void search_block(MatrixView<const float> queries, std::size_t k, std::vector<std::vector<Hit>>& out,
                    std::size_t first) const;
};

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

std::vector<Task> Index::Impl::tasks() const {
  std::vector<Task> out;
  for (const Segment& segment : segments) {
    const std::size_t rows = std::max<std::size_t>(kTile, kTaskBytes / (segment.vectors.stride * sizeof(float)));
    for (std::size_t begin = 0; begin < segment.size(); begin += rows)
      out.push_back({&segment, begin, std::min(segment.size(), begin + rows)});
  }
  return out;
}

void Index::Impl::search_block(MatrixView<const float> queries, std::size_t k, std::vector<std::vector<Hit>>& out,
                               std::size_t first) const {
  // As many rows at a time as stay in the cache, and their scores too.
  const std::size_t rows = std::max<std::size_t>(
      4, std::min(kCacheBytes / (queries.cols * sizeof(float)), kCacheBytes / (queries.rows * sizeof(float))) / 4 * 4);
  const std::vector<Task> work = tasks();
  WorkspacePool pool(queries.rows, k, queries.rows * rows);
  parallel_blocks(work.size(), 1, [&](std::size_t t, std::size_t) {
    auto workspace = pool.borrow();
    const Segment& segment = *work[t].segment;
    for (std::size_t begin = work[t].begin; begin < work[t].end; begin += rows) {
      const std::size_t end = std::min(work[t].end, begin + rows);
      const MatrixView<float> scores(workspace->scores.data(), queries.rows, end - begin);
      score(info.metric, queries, slice(segment.vectors, begin, end), scores);
      for (std::size_t q = 0; q < queries.rows; ++q)
        workspace->best[q].offer(scores.row(q).data(), end - begin, segment.first_position + begin);
    }
    pool.give_back(std::move(workspace));
  });
  for (std::size_t q = 0; q < queries.rows; ++q) {
    TopK all(k);
    for (const auto& workspace : pool.all())
      for (const Hit& hit : workspace->best[q].hits()) all.offer(hit);
    out[first + q] = all.take();
  }
}

std::vector<std::vector<Hit>> Index::search(MatrixView<const float> queries, std::size_t k) const {
  const AlignedFloats prepared = impl_->prepare(queries);
  const MatrixView<const float> all(prepared.data(), queries.rows, padded_dim(dim()));
  k = static_cast<std::size_t>(std::min<std::uint64_t>(k, size()));
  const std::size_t block = std::clamp<std::size_t>(kMaxHits / std::max<std::size_t>(k, 1), 1, kMaxQueries);
  std::vector<std::vector<Hit>> out(queries.rows);
  for (std::size_t first = 0; first < queries.rows; first += block)
    impl_->search_block(slice(all, first, std::min(queries.rows, first + block)), k, out, first);
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
      score(info().metric, slice(all, begin, end), segment.vectors, part);
    }
    consume(begin, scores);
  });
}

}  // namespace cbir
