#pragma once
/// Random hyperplanes (Charikar 2002): a row's code says on which side of each it lies. The rows whose codes differ
/// from the query's in the fewest bits are scored exactly.
///
/// Under cosine and l2 the hyperplanes go through the mean of the first rows: about zero, vectors that all point the
/// same way have much the same code. Under dot a row x gets one more element, sqrt(R^2 - |x|^2), where a query has 0,
/// by which the inner product becomes an angle (Neyshabur and Srebro 2015). R is a length that few of the first rows
/// exceed; the longest would leave most rows nearly the same.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/index/structure.hpp"

namespace cbir {

inline constexpr std::size_t kMaxBits = 4096;

/// What makes codes of vectors: a section of segment 0. First the hyperplanes' normals, `bits` rows of padded_dim(dim)
/// numbers, then for each its offset, then its weight of a row's further element, and last R.
class Hyperplanes {
 public:
  Hyperplanes() = default;
  /// Throws DamagedFile if the numbers are not as many as they should be.
  Hyperplanes(std::span<const float> numbers, std::size_t bits, std::size_t dim, Metric metric,
              const std::string& name);

  /// Random ones for the rows, padded from `dim`; the same numbers for the same seed.
  static std::vector<float> draw(MatrixView<const float> rows, std::size_t dim, std::size_t bits, Metric metric,
                                 std::uint64_t seed);

  std::size_t code_bytes() const noexcept { return normals_.rows / 8; }
  /// codes gets code_bytes() for each vector, one after the other: bit b of a code is bit b % 8 of byte b / 8.
  void encode_rows(MatrixView<const float> rows, std::span<std::uint8_t> codes) const { encode(rows, true, codes); }
  void encode_queries(MatrixView<const float> queries, std::span<std::uint8_t> codes) const {
    encode(queries, false, codes);
  }

 private:
  void encode(MatrixView<const float> vectors, bool lifted, std::span<std::uint8_t> codes) const;

  MatrixView<const float> normals_;
  std::span<const float> offsets_, weights_;
  float radius_ = 0;
  bool lift_ = false;
};

class LshBuilder : public StructureBuilder {
 public:
  /// For a new index: adds bits, candidates and seed to the parameters. Throws UsageError.
  static std::unique_ptr<StructureBuilder> create(IndexMeta& meta, const StructureOptions& options);
  static std::unique_ptr<StructureBuilder> open(const Container& container, const IndexMeta& meta);

  void train(MatrixView<const float> vectors, SectionWriter& writer) override;
  void write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) override;
  std::uint64_t memory(std::uint64_t rows, std::size_t padded_dim) const override;

 private:
  LshBuilder(std::string name, const IndexMeta& meta, std::size_t bits, std::uint64_t seed);

  std::string name_;
  Metric metric_;
  std::size_t dim_, bits_;
  std::uint64_t seed_;
  std::vector<float> numbers_;  ///< of the hyperplanes
};

class LshStructure : public Structure {
 public:
  /// Throws DamagedFile if sections are not of the size that they should be.
  LshStructure(const Container& container, const IndexMeta& meta, const Segment& segment);

  /// Rows of equal distance are taken in order, so that no thread and no other query changes what is found.
  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override;
  /// Queries' codes, and the candidates: as many in all segments together as in one.
  std::unique_ptr<PreparedQueries> prepare(MatrixView<const float> queries, const SearchEffort& effort,
                                           const SearchScope& scope) const override;
  void search_prepared(PreparedQueries& prepared, MatrixView<const float> queries, const SearchEffort& effort,
                       const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const override;
  void verify() const override;

 private:
  std::size_t wanted(const SearchEffort& effort, std::size_t k, double growth = 1) const;

  std::string name_;
  Segment segment_;
  Metric metric_;
  std::size_t bits_, candidates_;
  Hyperplanes planes_;
  std::span<const std::uint8_t> codes_;
};

}  // namespace cbir
