#include <cbir/rerank/improved_search.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/vectors.hpp>
#include <cbir/rerank/whitening.hpp>

#include "best.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRows = 4096;  // of an index that are transformed together

Vectors copy_of(MatrixView<const float> rows) {
  Vectors out(rows.rows, rows.cols);
  for (std::size_t i = 0; i < rows.rows; ++i) {
    std::ranges::copy(rows.row(i), out.row(i).begin());
    if (const VectorState state = prepare_vector(out.row(i), true); state != VectorState::fine)
      refuse_vector("query", i, "", state);
  }
  return out;
}

/// Of vectors of this origin; nothing if they are compared as they are.
std::optional<Transform> transform_for(const Improvements& improvements, std::size_t dim, const VectorOrigin& origin,
                                       bool allow_mismatch, const std::function<Transform()>& center) {
  if (improvements.center) return center();
  if (improvements.whiten.empty()) return {};
  Whitening whitening = read_whitening(improvements.whiten);
  check_whitening(whitening, improvements.whiten, dim, origin, allow_mismatch);
  return std::move(whitening.transform);
}

bool is_zero(std::span<const float> vector) {
  return std::ranges::all_of(vector, [](float x) { return x == 0; });
}

}  // namespace

void check_improvements(const Improvements& improvements) {
  if (improvements.center && !improvements.whiten.empty())
    throw UsageError("--center and --whiten exclude each other: a whitening subtracts its own mean");
  if (!(improvements.expand_alpha >= 0) || !std::isfinite(improvements.expand_alpha))
    throw UsageError("--expand-alpha: a number from 0 expected");
}

void expand_query(std::span<float> query, const std::vector<std::span<const float>>& rows,
                  std::span<const float> similarities, double alpha) {
  if (is_zero(query)) return;
  std::vector<double> sum(query.begin(), query.end());
  for (std::size_t n = 0; n < rows.size(); ++n) {
    if (similarities[n] <= 0) continue;
    const double weight = std::pow(static_cast<double>(similarities[n]), alpha);
    for (std::size_t c = 0; c < sum.size(); ++c) sum[c] += weight * static_cast<double>(rows[n][c]);
  }
  std::ranges::transform(sum, query.begin(), [](double x) { return static_cast<float>(x); });
  prepare_vector(query, true);
}

struct ImprovedSearch::Impl {
  const Index& index;
  Improvements improvements;
  std::optional<Transform> transform = {};
  std::vector<float> inverse_norms = {};  ///< of W (x - mean), one a row; 0 for a row at the mean

  Impl(const Index& searched, const Improvements& wanted) : index(searched), improvements(wanted) {}

  void measure();
  Vectors rows_at(std::span<const std::uint64_t> positions) const;
  Vectors prepared(MatrixView<const float> queries) const;
  std::vector<std::vector<Hit>> find(const Vectors& queries, std::size_t k, const SearchEffort& effort,
                                     SearchCounts& counts, const RowFilter* filter) const;
  std::vector<std::vector<Hit>> find_transformed(const Vectors& queries, std::size_t k, SearchCounts& counts,
                                                 const RowFilter* filter) const;
  void expand(Vectors& queries, std::span<const std::optional<std::uint64_t>> own, const SearchEffort& effort,
              SearchCounts& counts) const;
};

/// Lengths of all rows once they are transformed.
void ImprovedSearch::Impl::measure() {
  inverse_norms.resize(index.size());
  for (std::size_t first = 0; first < inverse_norms.size(); first += kRows) {
    std::vector<std::uint64_t> positions(std::min(kRows, inverse_norms.size() - first));
    for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = first + i;
    std::vector<float> norms;
    transform->apply(rows_at(positions), &norms);
    std::ranges::transform(norms, inverse_norms.begin() + static_cast<std::ptrdiff_t>(first),
                           [](float length) { return length > 0 ? 1 / length : 0; });
  }
}

/// Rows as the index has them.
Vectors ImprovedSearch::Impl::rows_at(std::span<const std::uint64_t> positions) const {
  Vectors rows(positions.size(), index.dim());
  parallel_blocks(positions.size(), 64, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) std::ranges::copy(index.vector(positions[i]), rows.row(i).begin());
  });
  return rows;
}

/// Queries as they are compared with transformed rows.
Vectors ImprovedSearch::Impl::prepared(MatrixView<const float> queries) const {
  if (queries.cols != index.dim())
    throw Incompatible(fmt::format("{}: queries of {} dimensions, but the index holds {}", display_path(index.path()),
                                   queries.cols, index.dim()));
  Vectors copies = copy_of(queries);
  return transform ? transform->apply(copies) : std::move(copies);
}

std::vector<std::vector<Hit>> ImprovedSearch::Impl::find(const Vectors& queries, std::size_t k,
                                                         const SearchEffort& effort, SearchCounts& counts,
                                                         const RowFilter* filter) const {
  if (transform) return find_transformed(queries, k, counts, filter);
  const MatrixView<const float> padded = queries.padded();
  return index.search({padded.data, padded.rows, queries.dim(), padded.stride}, k, effort, counts, filter);
}

/// The score of y and row x is (W^T y)(x - mean), divided by the length of W (x - mean); so the index scores W^T y.
std::vector<std::vector<Hit>> ImprovedSearch::Impl::find_transformed(const Vectors& queries, std::size_t k,
                                                                     SearchCounts& counts,
                                                                     const RowFilter* filter) const {
  struct Plan {
    double length = 0, offset = 0;  ///< of W^T y, and its inner product with the mean
  };
  std::vector<Plan> plans(queries.rows());
  std::vector<float> backs(queries.rows() * index.dim());
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    std::vector<float> back = transform->back(queries.row(q));
    plans[q].length = norm(back);
    for (std::size_t c = 0; c < back.size(); ++c)
      plans[q].offset += static_cast<double>(back[c]) * static_cast<double>(transform->mean()[c]);
    if (prepare_vector(back, true) != VectorState::fine) {  // a query at the mean: any direction, of length 0
      plans[q] = {};
      back[0] = 1;
    }
    std::ranges::copy(back, backs.begin() + static_cast<std::ptrdiff_t>(q * index.dim()));
  }
  const auto score = [&](std::size_t q, std::uint64_t position, float product) {
    return static_cast<float>((plans[q].length * static_cast<double>(product) - plans[q].offset) *
                              static_cast<double>(inverse_norms[position]));
  };
  const MatrixView<const float> asked(backs.data(), queries.rows(), index.dim());
  std::vector<BestRows> best(queries.rows(), BestRows(std::min<std::size_t>(k, index.size())));
  if (filter) {  // rows that pass, with their scores
    const auto passing = index.search(asked, filter->passing(), {.exact = true}, counts, filter);
    for (std::size_t q = 0; q < passing.size(); ++q)
      for (const Hit& hit : passing[q]) {
        const std::uint64_t position = *index.position_of(hit.id);
        best[q].offer_any(score(q, position, hit.score), static_cast<std::uint32_t>(position));
      }
  } else {
    index.score_all(asked, [&](std::size_t first, MatrixView<const float> scores) {
      for (std::size_t q = 0; q < scores.rows; ++q)
        for (std::size_t position = 0; position < scores.cols; ++position)
          best[first + q].offer(score(first + q, position, scores.row(q)[position]),
                                static_cast<std::uint32_t>(position));
    });
    counts += {.queries = queries.rows(), .compared = 0, .scored = queries.rows() * index.size()};
  }
  std::vector<std::vector<Hit>> hits(queries.rows());
  for (std::size_t q = 0; q < hits.size(); ++q)
    for (const ScoredRow& row : best[q].take()) hits[q].push_back({index.id(row.row), row.score});
  return hits;
}

void ImprovedSearch::Impl::expand(Vectors& queries, std::span<const std::optional<std::uint64_t>> own,
                                  const SearchEffort& effort, SearchCounts& counts) const {
  const std::size_t k = std::min<std::size_t>(improvements.expand + 1, index.size());  // one of them the query itself
  const auto found = find(queries, k, effort, counts, nullptr);
  parallel_blocks(queries.rows(), 1, [&](std::size_t q, std::size_t) {
    std::vector<std::uint64_t> positions;
    std::vector<float> similarities;
    for (const Hit& hit : found[q]) {
      if (positions.size() == improvements.expand) break;
      if (own[q] == hit.id) continue;
      positions.push_back(*index.position_of(hit.id));
      similarities.push_back(hit.score);
    }
    Vectors rows = rows_at(positions);
    if (transform) rows = transform->apply(rows);
    std::vector<std::span<const float>> views;
    for (std::size_t n = 0; n < rows.rows(); ++n) views.push_back(std::as_const(rows).row(n));
    expand_query(queries.row(q), views, similarities, improvements.expand_alpha);
  });
}

ImprovedSearch::ImprovedSearch(const Index& index, const Improvements& improvements, bool allow_mismatch)
    : impl_(std::make_unique<Impl>(index, improvements)) {
  check_improvements(improvements);
  const IndexInfo& info = index.info();
  if (improvements.any())
    demand_cosine(index.path(), to_string(info.metric),
                  improvements.center           ? "--center"
                  : improvements.whiten.empty() ? "--expand"
                                                : "--whiten");
  const VectorOrigin origin{index.path(), info.encoder, info.fingerprint, info.augmentation};
  impl_->transform = transform_for(improvements, index.dim(), origin, allow_mismatch, [&] {
    const std::vector<double> mean =
        mean_of_rows(index.size(), index.dim(), [&](std::size_t i) { return index.vector(i); });
    return Transform(std::vector<float>(mean.begin(), mean.end()));
  });
  if (impl_->transform) impl_->measure();
}

ImprovedSearch::~ImprovedSearch() = default;
ImprovedSearch::ImprovedSearch(ImprovedSearch&&) noexcept = default;
ImprovedSearch& ImprovedSearch::operator=(ImprovedSearch&&) noexcept = default;

std::vector<std::vector<Hit>> ImprovedSearch::search(MatrixView<const float> queries,
                                                     std::span<const std::optional<std::uint64_t>> own, std::size_t k,
                                                     const SearchEffort& effort, SearchCounts& counts,
                                                     const RowFilter* filter) const {
  Vectors prepared = impl_->prepared(queries);
  if (impl_->improvements.expand > 0) {
    SearchCounts first;
    impl_->expand(prepared, own, effort, first);
    first.queries = 0;  // both searches are of one query
    counts += first;
  }
  return impl_->find(prepared, k, effort, counts, filter);
}

void improve(Vectors& database, std::optional<Vectors>& queries, const Improvements& improvements,
             bool allow_mismatch) {
  check_improvements(improvements);
  const bool own = !queries;
  const auto transform =
      transform_for(improvements, database.dim(), database.origin, allow_mismatch, [&] { return centering(database); });
  if (transform) {
    database = transform->apply(database);
    if (queries) queries = transform->apply(*queries);
  }
  if (improvements.expand == 0) return;
  const std::function<std::size_t(std::size_t)> itself = [](std::size_t query) { return query; };
  const Neighbours found = nearest_neighbours(queries ? *queries : database, database, improvements.expand,
                                              own ? itself : std::function<std::size_t(std::size_t)>());
  if (own) queries = database.copy();
  parallel_blocks(queries->rows(), 16, [&](std::size_t begin, std::size_t end) {
    for (std::size_t q = begin; q < end; ++q) {
      std::vector<std::span<const float>> rows;
      for (const std::uint32_t row : found.rows_of(q)) rows.push_back(std::as_const(database).row(row));
      expand_query(queries->row(q), rows, found.scores_of(q), improvements.expand_alpha);
    }
  });
}

}  // namespace cbir
