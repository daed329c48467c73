#include "lib/index/flat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/flat_search.hpp"
#include "lib/index/int8.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;  // of codes made at a time
constexpr std::size_t kSmallRows = 1024;      // below, PlainScan is as fast
constexpr std::size_t kSparseShare = 16;      // of rows that pass: one by one is quicker
constexpr std::size_t kLargeShare = 8;        // k above rows / this: most rows would be scored anyway

std::size_t panels_of(std::size_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
std::size_t factor_kinds(Metric metric) { return metric == Metric::l2 ? 4 : 3; }

float rounded_up(double x) {
  return x == 0 ? 0 : std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}
float rounded_down(double x) { return x == 0 ? 0 : std::nextafter(static_cast<float>(x), 0.0F); }

double square(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

/// The norm of scale * codes.
double coded_length(std::span<const std::int8_t> codes, float scale) {
  std::int64_t sum = 0;
  for (const int code : codes) sum += code * code;
  return std::sqrt(static_cast<double>(sum)) * static_cast<double>(scale);
}

/// Writes row i of a panel that begins at `codes` and `factors`.
void write_row(std::span<const float> vector, std::size_t i, Metric metric, std::span<std::int8_t> scratch,
               std::uint8_t* codes, float* factors) {
  constexpr double kUp = 1 + 0x1p-40, kDown = 1 - 0x1p-30;  // more than sums in binary64 are off by
  const Int8Row row = quantize_int8(vector, scratch);
  for (std::size_t d = 0; d < vector.size(); ++d)
    codes[(d / kCodeGroup * kPanelRows + i) * kCodeGroup + d % kCodeGroup] =
        static_cast<std::uint8_t>(scratch[d] + kCodeOffset);
  const auto set = [&](RowFactor kind, float value) {
    factors[static_cast<std::size_t>(kind) * kPanelRows + i] = value;
  };
  set(RowFactor::scale, row.scale);
  set(RowFactor::residual, row.residual);
  set(RowFactor::length, rounded_up(coded_length(scratch, row.scale) * kUp));
  if (metric == Metric::l2) set(RowFactor::square, rounded_down(square(vector) * kDown));
}

/// What is wrong with a row's factors; empty if nothing is.
std::string fault(const CodePanels& panels, std::size_t row, std::span<const float> vector) {
  const std::size_t panel = row / kPanelRows, i = row % kPanelRows;
  const std::uint8_t* stored = panels.codes + panel * panels.dim * kPanelRows;
  std::vector<std::int8_t> codes(panels.dim);
  for (std::size_t d = 0; d < panels.dim; ++d) {
    const int code = stored[(d / kCodeGroup * kPanelRows + i) * kCodeGroup + d % kCodeGroup] - kCodeOffset;
    if (code < -kLargestCode) return "a code is out of range";
    codes[d] = static_cast<std::int8_t>(code);
  }
  const auto factor = [&](RowFactor kind) {
    const float value = panels.factors[(panel * panels.factor_kinds + static_cast<std::size_t>(kind)) * kPanelRows + i];
    return static_cast<double>(value);
  };
  const double scale = factor(RowFactor::scale);
  double rest = 0;
  for (std::size_t d = 0; d < panels.dim; ++d) {
    const double difference = static_cast<double>(vector[d]) - scale * codes[d];
    rest += difference * difference;
  }
  if (!(scale >= 0) || !std::isfinite(scale)) return "its scale is no scale";
  if (!(factor(RowFactor::residual) >= std::sqrt(rest)) || !std::isfinite(factor(RowFactor::residual)))
    return "its residual is smaller than what its codes leave";
  if (!(factor(RowFactor::length) >= coded_length(codes, static_cast<float>(scale))) ||
      !std::isfinite(factor(RowFactor::length)))
    return "its codes are longer than their stored length";
  if (panels.factor_kinds == factor_kinds(Metric::l2) && !(factor(RowFactor::square) <= square(vector)))
    return "its squared norm is larger than its vector's";
  return "";
}

}  // namespace

void FlatBuilder::write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) {
  const std::size_t dim = vectors.cols, kinds = factor_kinds(metric_), panels = panels_of(vectors.rows);
  if (dim > kMaxCodeDim) return;
  const std::size_t panel_bytes = dim * kPanelRows;
  const std::size_t block = std::max<std::size_t>(1, kBlockBytes / panel_bytes);
  std::vector<float> factors(panels * kinds * kPanelRows);
  std::vector<std::uint8_t> codes(std::min(block, panels) * panel_bytes);
  writer.begin(segment, SectionKind::int8_codes, ElementType::int8);
  for (std::size_t first = 0; first < panels; first += block) {
    const std::size_t count = std::min(block, panels - first);
    std::fill(codes.begin(), codes.end(), std::uint8_t{kCodeOffset});
    parallel_blocks(count, 1, [&](std::size_t begin, std::size_t) {
      std::vector<std::int8_t> scratch(dim);
      const std::size_t panel = first + begin;
      for (std::size_t row = panel * kPanelRows; row < std::min(vectors.rows, (panel + 1) * kPanelRows); ++row)
        write_row(vectors.row(row), row % kPanelRows, metric_, scratch, codes.data() + begin * panel_bytes,
                  factors.data() + panel * kinds * kPanelRows);
    });
    writer.write(std::as_bytes(std::span(codes).first(count * panel_bytes)));
  }
  writer.end();
  writer.section<float>(segment, SectionKind::int8_factors, ElementType::float32, factors);
}

std::uint64_t FlatBuilder::memory(std::uint64_t rows, std::size_t padded_dim) const {
  const std::uint64_t panels = panels_of(rows);
  return panels * kPanelRows * factor_kinds(metric_) * sizeof(float) +
         std::max<std::uint64_t>(kBlockBytes, padded_dim * kPanelRows) + padded_dim * worker_threads();
}

bool Flat::is_in(const Container& container, const Segment& segment) {
  return std::ranges::any_of(container.sections(), [&](const Section& section) {
    return section.segment == segment.number &&
           (section.kind == SectionKind::int8_codes || section.kind == SectionKind::int8_factors);
  });
}

Flat::Flat(const Container& container, const Segment& segment, Metric metric)
    : name_(container.name()), segment_(segment), metric_(metric) {
  const Bytes codes = container.content(segment.number, SectionKind::int8_codes, ElementType::int8);
  const Bytes factors = container.content(segment.number, SectionKind::int8_factors, ElementType::float32);
  panels_ = {.codes = reinterpret_cast<const std::uint8_t*>(codes.data()),
             .factors = reinterpret_cast<const float*>(factors.data()),
             .dim = segment.vectors.cols,
             .factor_kinds = factor_kinds(metric)};
  const std::size_t rows = panels_of(segment.size()) * kPanelRows;
  if (codes.size() != rows * panels_.dim || factors.size() != rows * panels_.factor_kinds * sizeof(float) ||
      panels_.dim > kMaxCodeDim)
    throw DamagedFile(
        fmt::format("{}: damaged index: segment {}: there are not as many codes as vectors; build it again",
                    display_path(name_), segment.number));
}

void Flat::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                  std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || mask.passing == 0 || best.front().capacity() == 0) return;
  if (!mask.every() && mask.passing < segment_.size() / kSparseShare)
    search_passing(segment_, metric_, queries, mask, best, counts);
  else if (segment_.size() < kSmallRows || best.front().capacity() > mask.passing / kLargeShare || !has_code_kernel())
    PlainScan(segment_, metric_).search(queries, effort, mask, best, counts);
  else search_codes(panels_, segment_, metric_, queries, mask, best, counts);
}

void Flat::verify() const {
  std::mutex mutex;
  std::size_t first_bad = segment_.size();  // the lowest, whichever thread comes first
  parallel_blocks(segment_.size(), 1024, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      if (fault(panels_, i, segment_.vectors.row(i)).empty()) continue;
      const std::lock_guard lock(mutex);
      first_bad = std::min(first_bad, i);
      return;
    }
  });
  if (first_bad < segment_.size())
    throw DamagedFile(fmt::format("{}: damaged index: row {}: {}; build it again", display_path(name_),
                                  segment_.first_position + first_bad,
                                  fault(panels_, first_bad, segment_.vectors.row(first_bad))));
}

std::unique_ptr<Structure> open_flat(const Container& container, const IndexMeta& meta, const Segment& segment) {
  if (Flat::is_in(container, segment)) return std::make_unique<Flat>(container, segment, meta.metric);
  return std::make_unique<PlainScan>(segment, meta.metric);
}

}  // namespace cbir
