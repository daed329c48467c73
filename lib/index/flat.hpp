#pragma once
/// The index type "flat": exact search whose first pass compares int8 codes and leaves out only rows that provably
/// cannot be among the k best (flat_search.hpp).

#include "lib/index/flat_kernels.hpp"
#include "lib/index/plain_scan.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

class BoundedQueries;

/// Writes, for each segment, a section int8_codes and a section int8_factors, laid out as CodePanels are. Vectors of
/// more than kMaxCodeDim dimensions get none.
class FlatBuilder : public StructureBuilder {
 public:
  explicit FlatBuilder(Metric metric) : metric_(metric) {}
  void write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) override;
  std::uint64_t memory(std::uint64_t rows, std::size_t padded_dim) const override;

 private:
  Metric metric_;
};

/// Ids and scores are those of PlainScan, bit for bit.
class Flat : public Structure {
 public:
  /// Whether the segment has codes; files of version 1.0 have none.
  static bool is_in(const Container& container, const Segment& segment);
  /// Throws DamagedFile if the sections are not of the size that the vectors ask for. What they hold is not looked at:
  /// no value leads outside.
  Flat(const Container& container, const Segment& segment, Metric metric);

  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override;
  /// The queries' codes.
  std::unique_ptr<PreparedQueries> prepare(MatrixView<const float> queries, const SearchEffort& effort,
                                           const SearchScope& scope) const override;
  void search_prepared(PreparedQueries& prepared, MatrixView<const float> queries, const SearchEffort& effort,
                       const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const override;
  /// Every row's factors must bound what its codes leave of its vector.
  void verify() const override;

 private:
  void search_with(BoundedQueries* bounded, MatrixView<const float> queries, const SearchEffort& effort,
                   const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const;

  std::string name_;  ///< of the file
  Segment segment_;
  Metric metric_;
  CodePanels panels_;
};

/// Flat, or PlainScan for a segment without codes.
std::unique_ptr<Structure> open_flat(const Container& container, const IndexMeta& meta, const Segment& segment);

}  // namespace cbir
