#include <cbir/eval/collection.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <numeric>
#include <span>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>
#include <cbir/rerank/vectors.hpp>
#include <cbir/store/set.hpp>

#include "lib/eval/improved.hpp"

namespace cbir {
namespace {

constexpr std::size_t kReadRows = 256;           ///< read and prepared at a time
constexpr std::size_t kIndexQueries = 4096;      ///< handed to an index at a time
constexpr std::size_t kQueries = 96;             ///< scored together against a set; fewer if its rows are many
constexpr std::size_t kScoreBytes = 16UL << 20;  ///< of scores that one thread makes at a time
constexpr std::size_t kTile = 6;                 ///< the kernels' preferred multiple of queries

/// Rows of floats for the kernels: padded with zeros, aligned to cache lines.
class PaddedMatrix {
 public:
  PaddedMatrix(std::size_t rows, std::size_t dim) : rows_(rows), dim_(dim), stride_(padded_dim(dim)) {
    const std::size_t bytes = std::max<std::size_t>(rows * stride_ * sizeof(float), 64);
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!data_) throw std::bad_alloc();
    if (stride_ == dim_) return;
    for (std::size_t i = 0; i < rows; ++i) std::fill_n(data_.get() + i * stride_ + dim_, stride_ - dim_, 0.0F);
  }

  std::size_t stride() const { return stride_; }
  std::span<float> row(std::size_t i) { return {data_.get() + i * stride_, dim_}; }
  MatrixView<const float> padded(std::size_t rows) const { return {data_.get(), rows, stride_}; }
  MatrixView<const float> padded() const { return padded(rows_); }
  MatrixView<const float> unpadded(std::size_t rows) const { return {data_.get(), rows, dim_, stride_}; }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::size_t rows_, dim_, stride_;
  std::unique_ptr<float[], Free> data_;
};

}  // namespace

struct Collection::Impl {
  std::string name, fingerprint, augmentation;
  Metric metric = Metric::cosine;
  std::optional<Index> index;       ///< this,
  std::optional<EmbeddingSet> set;  ///< or this
  std::optional<PaddedMatrix> matrix;
  std::once_flag matrix_read;
  std::optional<Vectors> improved;  ///< instead of the rows' own vectors
  std::optional<Vectors> asking;    ///< what these rows ask with, if it is not `improved`

  std::size_t rows() const { return index ? static_cast<std::size_t>(index->size()) : set->rows(); }
  std::size_t dim() const { return improved ? improved->dim() : index ? index->dim() : set->dim(); }
  RowInfo row(std::size_t i) const { return index ? index->row(i) : set->row(i); }

  void open_index(const std::optional<Metric>& wanted);
  void open_set(const std::optional<Metric>& wanted);

  /// Copies rows for a comparison by `by`. Thread-safe.
  void read(std::size_t first, std::size_t count, PaddedMatrix& out, std::size_t to, Metric by) const;
  /// The same for rows that ask.
  void read_queries(std::span<const std::size_t> rows, PaddedMatrix& out, Metric by) const;
  MatrixView<const float> in_memory();
};

void Collection::Impl::open_index(const std::optional<Metric>& wanted) {
  index = Index::open(name);
  metric = index->info().metric;
  fingerprint = index->info().fingerprint;
  augmentation = index->info().augmentation;
  if (wanted && *wanted != metric)
    throw Incompatible(
        fmt::format("{}: an index for the metric {}; expected {}; build one for it, or evaluate the set itself",
                    display_path(name), to_string(metric), to_string(*wanted)));
}

void Collection::Impl::open_set(const std::optional<Metric>& wanted) {
  set = EmbeddingSet::open(name);
  if (set->manifest()) {
    fingerprint = set->manifest()->fingerprint;
    augmentation = set->manifest()->augmentation;
  }
  if (wanted) metric = *wanted;
  else if (set->manifest()) metric = parse_metric(set->manifest()->metric);
}

void Collection::Impl::read(std::size_t first, std::size_t count, PaddedMatrix& out, std::size_t to, Metric by) const {
  if (improved) {
    for (std::size_t i = 0; i < count; ++i) std::ranges::copy(improved->row(first + i), out.row(to + i).begin());
    return;
  }
  if (set) {
    set->matrix().read(first, count, out.row(to).data(), out.stride());
  } else {
    for (std::size_t i = 0; i < count; ++i) std::ranges::copy(index->vector(first + i), out.row(to + i).begin());
  }
  for (std::size_t i = 0; i < count; ++i)
    if (const VectorState state = prepare_vector(out.row(to + i), by == Metric::cosine); state != VectorState::fine)
      refuse_vector(name, first + i, row(first + i).path, state);
}

void Collection::Impl::read_queries(std::span<const std::size_t> rows, PaddedMatrix& out, Metric by) const {
  if (asking) {
    for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(asking->row(rows[i]), out.row(i).begin());
    return;
  }
  for (std::size_t i = 0; i < rows.size();) {  // a run of neighbours at a time
    std::size_t count = 1;
    while (i + count < rows.size() && rows[i + count] == rows[i] + count) ++count;
    read(rows[i], count, out, i, by);
    i += count;
  }
}

MatrixView<const float> Collection::Impl::in_memory() {
  if (improved) return improved->padded();
  std::call_once(matrix_read, [&] {
    PaddedMatrix all(rows(), dim());
    parallel_blocks(rows(), kReadRows,
                    [&](std::size_t begin, std::size_t end) { read(begin, end - begin, all, begin, metric); });
    matrix = std::move(all);
  });
  return matrix->padded();
}

Collection::Collection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Collection::~Collection() = default;
Collection::Collection(Collection&&) noexcept = default;
Collection& Collection::operator=(Collection&&) noexcept = default;

Collection Collection::open(const std::string& name, std::optional<Metric> metric) {
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  if (name.ends_with(".cbir")) impl->open_index(metric);
  else impl->open_set(metric);
  if (impl->rows() == 0) throw MissingInput(fmt::format("{}: has no rows", display_path(name)));
  return Collection(std::move(impl));
}

bool Collection::is_name_of_one(const std::string& name) {
  for (const char* ending : {".cbir", ".npy", ".json"})
    if (name.ends_with(ending)) return true;
  return name != "-" && !exists(name) && exists(set_paths(name).npy);
}

const std::string& Collection::name() const noexcept { return impl_->name; }
std::size_t Collection::rows() const noexcept { return impl_->rows(); }
std::size_t Collection::dim() const noexcept { return impl_->dim(); }
Metric Collection::metric() const noexcept { return impl_->metric; }
const std::string& Collection::fingerprint() const noexcept { return impl_->fingerprint; }

const std::string& Collection::augmentation() const noexcept { return impl_->augmentation; }

std::string Collection::picture_path(std::size_t row) const { return impl_->row(row).picture_path(); }

LabelledRows Collection::labelled_rows(const LabelTable* table) const {
  LabelledRows all{.labels = std::vector<std::optional<std::string>>(rows()),
                   .names = std::vector<std::string>(rows())};
  parallel_blocks(rows(), 1024, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      RowInfo row = impl_->row(i);
      all.labels[i] = table ? table->label_of(row.path) : std::move(row.label);
      all.names[i] = std::move(row.path);
    }
  });
  return all;
}

void Collection::improve(Collection* queries, const Improvements& improvements, bool allow_mismatch) {
  if (metric() != Metric::cosine) demand_cosine(name(), to_string(metric()), "what was asked for");
  Vectors database = Vectors::load(name());
  std::optional<Vectors> asking;
  if (queries) asking = Vectors::load(queries->name());
  cbir::improve(database, asking, improvements, allow_mismatch);
  impl_->improved = std::move(database);
  if (queries) queries->impl_->improved = std::move(*asking);
  else impl_->asking = std::move(asking);
}

void Collection::score_all(const Collection& queries,
                           const std::function<void(std::size_t, MatrixView<const float>)>& consume) const {
  std::vector<std::size_t> all(queries.rows());
  std::iota(all.begin(), all.end(), std::size_t{0});
  score_rows(queries, all, consume);
}

void Collection::score_rows(const Collection& queries, std::span<const std::size_t> query_rows,
                            const std::function<void(std::size_t, MatrixView<const float>)>& consume) const {
  const std::size_t count = query_rows.size();
  if (impl_->index && !impl_->improved) {  // shares the work among threads itself
    PaddedMatrix block(std::min(count, kIndexQueries), dim());
    for (std::size_t first = 0; first < count; first += kIndexQueries) {
      const std::size_t size = std::min(kIndexQueries, count - first);
      queries.impl_->read_queries(query_rows.subspan(first, size), block, metric());
      impl_->index->score_all(block.unpadded(size), [&](std::size_t begin, MatrixView<const float> scores) {
        consume(first + begin, scores);
      });
    }
    return;
  }
  const MatrixView<const float> database = impl_->in_memory();
  const auto kernel = metric() == Metric::l2 ? negative_squared_distances : inner_products;
  const std::size_t fitting = kScoreBytes / sizeof(float) / rows() / kTile * kTile;
  const std::size_t grain = std::clamp<std::size_t>(fitting, 1, kQueries);
  parallel_blocks(count, grain, [&](std::size_t begin, std::size_t end) {
    PaddedMatrix block(end - begin, dim());
    queries.impl_->read_queries(query_rows.subspan(begin, end - begin), block, metric());
    std::vector<float> scores((end - begin) * rows());
    kernel(block.padded(), database, MatrixView<float>(scores.data(), end - begin, rows()));
    consume(begin, MatrixView<const float>(scores.data(), end - begin, rows()));
  });
}

std::vector<float> Collection::score_pairs(const Collection& queries, std::span<const RowPair> pairs) const {
  const auto kernel = metric() == Metric::l2 ? negative_squared_distances : inner_products;
  std::vector<float> scores(pairs.size());
  parallel_blocks(pairs.size(), kReadRows, [&](std::size_t begin, std::size_t end) {
    PaddedMatrix query(1, dim()), row(1, dim());
    for (std::size_t i = begin; i < end; ++i) {
      queries.impl_->read_queries({&pairs[i].query, 1}, query, metric());
      impl_->read(pairs[i].row, 1, row, 0, metric());
      kernel(query.padded(), row.padded(), MatrixView<float>(&scores[i], 1, 1));
    }
  });
  return scores;
}

void Collection::check_queries(const Collection& queries, bool allow_mismatch) const {
  if (queries.dim() != dim())
    throw Incompatible(fmt::format("{} has vectors of {} dimensions, {} of {}; queries and database must agree",
                                   display_path(queries.name()), queries.dim(), display_path(name()), dim()));
  if (allow_mismatch) return;
  // Queries are as the encoder made them, or from the very augmentation of the database.
  if (!queries.augmentation().empty() && queries.augmentation() != augmentation())
    throw Incompatible(fmt::format(
        "{}: its rows are averages with their neighbours, and those of {} are not, or with others; query with "
        "what they were made of (--allow-mismatch does it all the same)",
        display_path(queries.name()), display_path(name())));
  if (queries.fingerprint() == fingerprint()) return;
  const auto known = [](const Collection& c) {
    return c.fingerprint().empty() ? std::string("not known") : c.fingerprint().substr(0, 12);
  };
  throw Incompatible(
      fmt::format("{} and {} are of different encoders (fingerprints {} and {}); their vectors cannot be "
                  "compared (--allow-mismatch does it all the same)",
                  display_path(queries.name()), display_path(name()), known(queries), known(*this)));
}

Scores evaluate_collection(const CollectionEvaluation& evaluation, const EvaluationProgress& progress) {
  const Collection database = Collection::open(evaluation.database, evaluation.metric);
  std::optional<Collection> others;
  if (evaluation.queries) {
    others = Collection::open(*evaluation.queries, std::nullopt);
    database.check_queries(*others, evaluation.allow_mismatch);
  }
  const Collection& queries = others ? *others : database;

  std::optional<LabelTable> table;
  if (evaluation.labels) table.emplace(*evaluation.labels);
  const LabelledRows rows = database.labelled_rows(table ? &*table : nullptr);
  std::optional<LabelledRows> query_rows;
  if (others) query_rows = others->labelled_rows(table ? &*table : nullptr);

  std::mutex mutex;
  std::uint64_t done = 0;
  const ScoreSource source = [&](const auto& consume) {
    database.score_all(queries, [&](std::size_t first, MatrixView<const float> block) {
      consume(first, block);
      if (!progress) return;
      const std::lock_guard lock(mutex);
      progress(done += block.rows, queries.rows());
    });
  };
  Scores found = evaluation.improve.any() || evaluation.augment
                     ? evaluate_improved(evaluation, rows, query_rows, progress)
                     : evaluate_labels(rows, others ? *query_rows : rows, !others, source, evaluation.measures);
  if (!others && !database.augmentation().empty())
    found.remarks.push_back(fmt::format(
        "the rows of {} are averages with their neighbours, and the rows that ask took part in them: queries from "
        "outside score lower; --augment on the set that it was made of shows a split into queries and database, too",
        display_path(database.name())));
  found.subject = others ? fmt::format("{}, queried with {}", database.name(), others->name()) : database.name();
  return found;
}

}  // namespace cbir
