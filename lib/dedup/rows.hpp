#pragma once
/// The rows of sets and indexes, one source after another, in memory.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/index/index.hpp>
#include <cbir/store/set.hpp>

#include "lib/index/aligned.hpp"

namespace cbir {

class SourceRows {
 public:
  /// Throws as find_duplicates().
  SourceRows(const std::vector<std::string>& names, std::optional<Metric> metric, bool allow_mismatch);

  std::size_t size() const noexcept { return firsts_.back(); }
  Metric metric() const noexcept { return metric_; }
  const std::string& encoder() const noexcept { return sources_.front().encoder; }
  /// Padded, normalised under cosine; zeros are positive. One a row, or of those rows that were left by keep_vectors().
  MatrixView<const float> vectors() const noexcept { return {vectors_->data(), kept_, stride_}; }
  /// Drops the vectors of all but these rows, which ascend.
  void keep_vectors(std::span<const std::uint32_t> rows);

  struct Place {
    std::size_t source = 0;
    std::uint64_t row = 0;  ///< its number in the set, or position in the index
  };
  Place place(std::size_t row) const;
  std::uint64_t id(const Place& place) const;
  RowInfo info(const Place& place) const;

  /// Throws Incompatible unless the rows of both can be compared.
  void demand_comparable(const SourceRows& other, bool allow_mismatch) const;

 private:
  struct Source {
    std::string name, encoder, fingerprint;
    Metric metric = Metric::cosine;
    std::optional<Index> index;       // this,
    std::optional<EmbeddingSet> set;  // or this

    explicit Source(const std::string& name);
    std::uint64_t rows() const { return index ? index->size() : set->rows(); }
    std::size_t dim() const { return index ? index->dim() : set->dim(); }
    RowInfo row(std::uint64_t i) const { return index ? index->row(i) : set->row(i); }
    void read(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const;
  };

  static void demand_same(const Source& a, const Source& b, bool allow_mismatch);
  void choose_metric(std::optional<Metric> wanted);
  void read_vectors();

  std::vector<Source> sources_;
  std::vector<std::size_t> firsts_ = {0};  // row of each source, and the end
  Metric metric_ = Metric::cosine;
  std::size_t stride_ = 0, kept_ = 0;
  std::optional<AlignedFloats> vectors_;
};

}  // namespace cbir
