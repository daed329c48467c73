#include <algorithm>
#include <cmath>
#include <numeric>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/index/scan.hpp>

#include "lib/index/ivf.hpp"
#include "lib/index/kmeans.hpp"

namespace cbir {
namespace {

constexpr std::size_t kRowsPerList = 32;    // fewer are not worth a list
constexpr std::size_t kRounds = 6;          // of the partition's k-means
constexpr std::size_t kListSample = 48;     // rows a list that it looks at
constexpr std::size_t kCodeRounds = 10;     // of the codebooks'
constexpr std::size_t kCodeSample = 16384;  // rows that they are trained on, at most
constexpr std::size_t kCodeSampleBytes = 64 << 20;
constexpr std::size_t kBlocksTogether = 256;  // of codes that are made before they are written
constexpr double kFactorSteps = 32767;

std::size_t default_lists(std::uint64_t rows) {
  const auto wanted = static_cast<std::size_t>(std::lround(7 * std::pow(static_cast<double>(rows), .45)));
  return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(1, rows / kRowsPerList));
}

/// What is left of a row without its centroid, and the row's exact term.
float take_residual(const IvfModel& model, std::span<const float> row, std::span<const float> centroid,
                    float* residual) {
  double sum = 0;
  for (std::size_t d = 0; d < row.size(); ++d) {
    residual[d] = row[d] - centroid[d];
    const auto r = static_cast<double>(residual[d]), m = static_cast<double>(model.mean[d]);
    sum += model.metric == Metric::l2 ? -r * (2 * (static_cast<double>(centroid[d]) - m) + r) : m * r;
  }
  return static_cast<float>(sum);
}

std::uint16_t factor_code(const IvfModel& model, float factor) {
  const double steps = (static_cast<double>(factor) - static_cast<double>(model.factor_least)) /
                       static_cast<double>(model.factor_range) * kFactorSteps;
  return static_cast<std::uint16_t>(steps > 0 ? std::lround(std::min(steps, kFactorSteps)) : 0);
}

/// The rows of each list, in order: rows[offsets[l]] to rows[offsets[l + 1]].
struct Lists {
  std::vector<std::uint32_t> offsets, rows;
};

Lists divide(MatrixView<const float> vectors, const IvfModel& model, std::vector<std::uint32_t>& list_of) {
  list_of.resize(vectors.rows);
  assign_nearest(vectors, model.centroids, list_of);
  Lists out{std::vector<std::uint32_t>(model.lists() + 1), std::vector<std::uint32_t>(vectors.rows)};
  for (const std::uint32_t list : list_of) ++out.offsets[list + 1];
  std::partial_sum(out.offsets.begin(), out.offsets.end(), out.offsets.begin());
  std::vector<std::uint32_t> next(out.offsets.begin(), out.offsets.end() - 1);
  for (std::uint32_t row = 0; row < vectors.rows; ++row) out.rows[next[list_of[row]]++] = row;
  return out;
}

}  // namespace

IvfBuilder::IvfBuilder(IndexMeta& meta, const StructureOptions& options, std::uint64_t rows)
    : lists_(options.lists != 0 ? std::min<std::size_t>(options.lists, rows) : default_lists(rows)),
      seed_(options.seed) {
  model_.metric = meta.metric;
  model_.shape = pq4_shape(padded_dim(meta.dim));
  meta.parameters["lists"] = lists_;
  meta.parameters["probe"] = std::clamp<std::size_t>(lists_ / 16, std::min<std::size_t>(lists_, 8), 64);
  meta.parameters["candidates"] = 64;
  meta.parameters["code_dims"] = model_.shape.dims;
  meta.parameters["seed"] = seed_;
}

void IvfBuilder::train(MatrixView<const float> vectors, SectionWriter& writer) {
  centroids_ = train_kmeans(vectors, {.clusters = lists_, .rounds = kRounds, .sample = kListSample, .seed = seed_});
  model_.centroids = {centroids_.data(), lists_, vectors.cols};
  mean_.resize(vectors.cols);
  std::vector<double> sums(vectors.cols);
  for (std::size_t l = 0; l < lists_; ++l)
    for (std::size_t d = 0; d < vectors.cols; ++d) sums[d] += static_cast<double>(model_.centroids.row(l)[d]);
  for (std::size_t d = 0; d < vectors.cols; ++d) mean_[d] = static_cast<float>(sums[d] / static_cast<double>(lists_));
  model_.mean = mean_;
  train_codes(vectors);

  writer.section<float>(0, SectionKind::centroids, ElementType::float32, centroids_);
  writer.section<float>(0, SectionKind::codebooks, ElementType::float32, codebooks_);
  std::vector<float> factors = mean_;
  factors.insert(factors.end(), {model_.factor_least, model_.factor_range});
  writer.section<float>(0, SectionKind::list_factors, ElementType::float32, factors);
}

/// Codebooks, and the range of factors, out of a sample's residuals.
void IvfBuilder::train_codes(MatrixView<const float> vectors) {
  const std::size_t dim = vectors.cols;
  const std::size_t wanted = std::clamp<std::size_t>(kCodeSampleBytes / (dim * sizeof(float)), 1, kCodeSample);
  const std::vector<std::uint32_t> chosen = sample_rows(vectors.rows, wanted, seed_ + 2);
  AlignedFloats rows(chosen.size() * dim);
  const MatrixView<float> sample(rows.data(), chosen.size(), dim);
  for (std::size_t i = 0; i < chosen.size(); ++i) std::copy_n(vectors.row(chosen[i]).data(), dim, sample.row(i).data());
  std::vector<std::uint32_t> list_of(chosen.size());
  assign_nearest(sample, model_.centroids, list_of);
  std::vector<float> factors(chosen.size());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    factors[i] = take_residual(model_, sample.row(i), model_.centroids.row(list_of[i]), sample.row(i).data());
  const auto [least, largest] = std::minmax_element(factors.begin(), factors.end());
  // A little more, since other rows may go beyond those of the sample.
  const float margin = (*largest - *least) / 16;
  model_.factor_least = *least - margin;
  model_.factor_range = *largest - *least + 2 * margin;
  codebooks_ = train_pq4(model_.shape, sample, kCodeRounds, seed_ + 3);
  model_.codebooks = codebooks_;
}

void IvfBuilder::write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) {
  std::vector<std::uint32_t> list_of;
  const Lists lists = divide(vectors, model_, list_of);
  writer.section<std::uint32_t>(segment, SectionKind::list_offsets, ElementType::uint32, lists.offsets);
  writer.section<std::uint32_t>(segment, SectionKind::list_rows, ElementType::uint32, lists.rows);

  const Pq4Shape& shape = model_.shape;
  const Pq4Encoder encoder(shape, model_.codebooks);
  const std::size_t rows_together = kBlocksTogether * pq4::kBlockRows;
  std::vector<std::uint8_t> blocks;
  writer.begin(segment, SectionKind::list_codes, ElementType::byte);
  for (std::size_t first = 0; first < vectors.rows; first += rows_together) {
    const std::size_t count = std::min(rows_together, vectors.rows - first);
    blocks.assign((count + pq4::kBlockRows - 1) / pq4::kBlockRows * shape.block_bytes(), 0);
    parallel_blocks(count, pq4::kBlockRows, [&](std::size_t begin, std::size_t end) {
      std::vector<float> residual(vectors.cols), tables(shape.sub_quantizers * pq4::kCentroids);
      std::vector<std::uint8_t> codes(shape.sub_quantizers);
      for (std::size_t i = begin; i < end; ++i) {
        const std::uint32_t row = lists.rows[first + i];
        const float factor =
            take_residual(model_, vectors.row(row), model_.centroids.row(list_of[row]), residual.data());
        encoder.encode(residual.data(), tables.data(), codes.data());
        pack_row(shape, codes, factor_code(model_, factor), i % pq4::kBlockRows,
                 blocks.data() + i / pq4::kBlockRows * shape.block_bytes());
      }
    });
    writer.write(std::as_bytes(std::span(blocks)));
  }
  writer.end();
}

std::uint64_t IvfBuilder::memory(std::uint64_t rows, std::size_t padded_dim) const {
  const std::uint64_t lists = std::max<std::uint64_t>(lists_, model_.lists()), dim = padded_dim;
  const std::uint64_t centroids = lists * dim * (sizeof(float) + 1);
  const std::uint64_t sample = lists * kListSample * 3 * sizeof(std::uint32_t) + kCodeSampleBytes * 5 / 4;
  const std::uint64_t threads = worker_threads() * ((dim + 512) * 256 * sizeof(float));
  const std::uint64_t blocks = kBlocksTogether * model_.shape.block_bytes();
  return centroids + sample + threads + blocks + rows * 2 * sizeof(std::uint32_t);
}

}  // namespace cbir
