#include "lib/dedup/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include <cbir/base/error.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>
#include <cbir/index/scan.hpp>
#include <cbir/index/vectors.hpp>

namespace cbir {
namespace {

constexpr std::size_t kReadRows = 256;  // that a thread reads at a time

}  // namespace

SourceRows::Source::Source(const std::string& from) : name(from) {
  if (name.ends_with(".cbir")) {
    index = Index::open(name);
    metric = index->info().metric;
    encoder = index->info().encoder;
    fingerprint = index->info().fingerprint;
    return;
  }
  set = EmbeddingSet::open(name);
  if (!set->manifest()) return;
  metric = parse_metric(set->manifest()->metric);
  encoder = set->manifest()->encoder;
  fingerprint = set->manifest()->fingerprint;
}

void SourceRows::Source::read(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const {
  if (set) {
    set->matrix().read(first, count, out, stride);
    return;
  }
  for (std::size_t i = 0; i < count; ++i) std::ranges::copy(index->vector(first + i), out + i * stride);
}

SourceRows::SourceRows(const std::vector<std::string>& names, std::optional<Metric> metric, bool allow_mismatch) {
  if (names.empty()) throw UsageError("no embedding set and no index was given");
  for (const std::string& name : names) {
    sources_.emplace_back(name);
    demand_same(sources_.front(), sources_.back(), allow_mismatch);
    firsts_.push_back(firsts_.back() + sources_.back().rows());
  }
  if (size() == 0) throw MissingInput(fmt::format("{}: has no rows", display_path(names.front())));
  if (size() > std::numeric_limits<std::uint32_t>::max())
    throw ResourceLimit(fmt::format("{} are more than can be compared, {}", counted(size(), "row"),
                                    std::numeric_limits<std::uint32_t>::max()));
  choose_metric(metric);
  read_vectors();
}

void SourceRows::demand_same(const Source& a, const Source& b, bool allow_mismatch) {
  if (a.dim() != b.dim())
    throw Incompatible(fmt::format("{} has vectors of {} dimensions, {} of {}; they cannot be compared",
                                   display_path(a.name), a.dim(), display_path(b.name), b.dim()));
  if (allow_mismatch || a.fingerprint == b.fingerprint) return;
  const auto known = [](const Source& source) {
    return source.fingerprint.empty() ? std::string("not known") : source.fingerprint.substr(0, 12);
  };
  throw Incompatible(
      fmt::format("{} and {} are of different encoders (fingerprints {} and {}); their vectors cannot be compared "
                  "(--allow-mismatch does it all the same)",
                  display_path(a.name), display_path(b.name), known(a), known(b)));
}

void SourceRows::demand_comparable(const SourceRows& other, bool allow_mismatch) const {
  demand_same(sources_.front(), other.sources_.front(), allow_mismatch);
}

void SourceRows::choose_metric(std::optional<Metric> wanted) {
  metric_ = wanted.value_or(sources_.front().metric);
  if (metric_ == Metric::dot)
    throw UsageError(
        fmt::format("{}: under the metric dot a row need not be most like itself; give --metric cosine or l2",
                    display_path(sources_.front().name)));
  for (const Source& source : sources_) {
    // Vectors of an index for cosine have lost their lengths.
    if (metric_ == source.metric || (wanted && !(source.index && source.metric == Metric::cosine))) continue;
    throw Incompatible(fmt::format("{}: is for the metric {}; expected {}", display_path(source.name),
                                   to_string(source.metric), to_string(metric_)));
  }
}

void SourceRows::read_vectors() {
  const std::size_t dim = sources_.front().dim();
  stride_ = padded_dim(dim);
  kept_ = size();
  vectors_.emplace(kept_ * stride_);
  for (std::size_t s = 0; s < sources_.size(); ++s) {
    const Source& source = sources_[s];
    parallel_blocks(source.rows(), kReadRows, [&](std::size_t begin, std::size_t end) {
      float* const to = vectors_->data() + (firsts_[s] + begin) * stride_;
      source.read(begin, end - begin, to, stride_);
      for (std::size_t i = 0; i < end - begin; ++i) {
        const std::span<float> vector(to + i * stride_, dim);
        const VectorState state = prepare_vector(vector, metric_ == Metric::cosine);
        if (state != VectorState::fine) refuse_vector(source.name, begin + i, source.row(begin + i).path, state);
        for (float& x : vector) x += 0.0F;  // -0 becomes 0: the same vector has the same bits
      }
    });
  }
}

void SourceRows::keep_vectors(std::span<const std::uint32_t> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i] != i) std::copy_n(vectors_->data() + rows[i] * stride_, stride_, vectors_->data() + i * stride_);
  kept_ = rows.size();
}

SourceRows::Place SourceRows::place(std::size_t row) const {
  const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), row);
  const auto source = static_cast<std::size_t>(after - firsts_.begin()) - 1;
  return {source, row - firsts_[source]};
}

std::uint64_t SourceRows::id(const Place& place) const {
  const Source& source = sources_[place.source];
  return source.index ? source.index->id(place.row) : place.row;
}

RowInfo SourceRows::info(const Place& place) const { return sources_[place.source].row(place.row); }

}  // namespace cbir
