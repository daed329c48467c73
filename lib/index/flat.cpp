#include "lib/index/flat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <optional>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/vectors.hpp>

#include "lib/index/code_panels.hpp"
#include "lib/index/flat_search.hpp"
#include "lib/index/int8.hpp"

namespace cbir {
namespace {

constexpr std::size_t kBlockBytes = 4 << 20;  // of codes made at a time
constexpr std::size_t kSmallRows = 1024;      // below, PlainScan is as fast
constexpr std::size_t kSparseShare = 16;      // of rows that pass: one by one is quicker
constexpr std::size_t kLargeShare = 8;        // k above rows / this: most rows would be scored anyway

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
  if (panels.factor_kinds == factor_kinds(Metric::l2) && !(factor(RowFactor::square) <= squared_norm(vector)))
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
        write_code_row(vectors.row(row), row % kPanelRows, metric_, scratch, codes.data() + begin * panel_bytes,
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

namespace {

struct Prepared : PreparedQueries {
  Prepared(MatrixView<const float> queries, Metric metric) : bounded(queries, metric) {}
  BoundedQueries bounded;
};

}  // namespace

void Flat::search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                  std::span<TopK> best, SearchCounts& counts) const {
  search_with(nullptr, queries, effort, mask, best, counts);
}

std::unique_ptr<PreparedQueries> Flat::prepare(MatrixView<const float> queries, const SearchEffort&,
                                               const SearchScope&) const {
  return has_code_kernel() ? std::make_unique<Prepared>(queries, metric_) : nullptr;
}

void Flat::search_prepared(PreparedQueries& prepared, MatrixView<const float> queries, const SearchEffort& effort,
                           const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const {
  auto* const mine = dynamic_cast<Prepared*>(&prepared);
  if (mine == nullptr) throw Error(ExitCode::internal, "queries that were prepared for another type of index");
  search_with(&mine->bounded, queries, effort, mask, best, counts);
}

/// `bounded`: the queries' codes, if they have been made.
void Flat::search_with(BoundedQueries* bounded, MatrixView<const float> queries, const SearchEffort& effort,
                       const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const {
  if (queries.rows == 0 || mask.passing == 0 || best.front().capacity() == 0) return;
  const bool sparse = !mask.every() && mask.passing < segment_.size() / kSparseShare;
  if (sparse) return search_passing(segment_, metric_, queries, mask, best, counts);
  // Few rows are scored as soon as compared, unless what was found elsewhere leaves most of them out.
  const bool known = bounded != nullptr && all_full(best);
  const bool few = segment_.size() < kSmallRows || best.front().capacity() > mask.passing / kLargeShare;
  if (!has_code_kernel() || (few && !known))
    return PlainScan(segment_, metric_).search(queries, effort, mask, best, counts);
  std::optional<BoundedQueries> own;
  if (bounded == nullptr) bounded = &own.emplace(queries, metric_);
  search_codes(panels_, segment_, metric_, queries, *bounded, mask, best, counts);
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
