#pragma once
/// What a type of index has to provide: a structure over the rows of each segment that finds candidates, and a builder
/// that makes it. Candidates are always scored exactly, by the kernels of scan.hpp.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>

#include <cbir/base/matrix.hpp>
#include <cbir/index/index.hpp>

#include "lib/index/container.hpp"
#include "lib/index/meta.hpp"
#include "lib/index/segment.hpp"
#include "lib/index/topk.hpp"

namespace cbir {

/// What a search makes of its queries before it looks at any row, and what it has found in the segments up to now, as
/// far as that is not in `best` yet.
class PreparedQueries {
 public:
  virtual ~PreparedQueries() = default;
  /// After the last segment: offers what has been found to best.
  virtual void finish(MatrixView<const float> /*queries*/, std::span<TopK> /*best*/, SearchCounts& /*counts*/) {}
};

/// What a search of several segments has in common.
struct SearchScope {
  std::size_t k = 0;
  double share = 1;   ///< of the index's rows, those that may be returned
  double growth = 1;  ///< how many times the rows there are for which efforts were found
};

/// As many candidates as found what is wanted, for more rows. Of many more rows that were added nobody knows what they
/// are like; `compact` finds out.
inline std::size_t grown(std::size_t candidates, double growth) {
  return static_cast<std::size_t>(std::ceil(static_cast<double>(candidates) * std::clamp(growth, 1.0, 2.0)));
}

/// A search structure over one segment. Refers to the mapped file, holds little memory itself, may be used by several
/// threads.
class Structure {
 public:
  virtual ~Structure() = default;

  /// Offers to best[q] the rows that it finds for queries.row(q): hits with exact scores, whose id is the row's
  /// position in the index (segment.first_position + row). Only rows of the mask are offered. best[q] may hold hits of
  /// other segments already, so that its worst one is a threshold. Queries are prepared: normalised under cosine, and
  /// padded with zeros to padded_dim(dim). Works on many threads by itself (parallel_blocks); what it finds does not
  /// depend on their number, nor on which queries come together.
  virtual void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask,
                      std::span<TopK> best, SearchCounts& counts) const = 0;

  /// For searches of several segments: what is the same in all that have a structure of this kind, so that it is worked
  /// out once, and candidates of all of them together; null if there is nothing.
  virtual std::unique_ptr<PreparedQueries> prepare(MatrixView<const float> /*queries*/, const SearchEffort& /*effort*/,
                                                   const SearchScope& /*scope*/) const {
    return nullptr;
  }

  /// Searches one segment as part of them, with what prepare() of any of these structures made of the queries at this
  /// effort. The mapped segment must stay until finish().
  virtual void search_prepared(PreparedQueries& /*prepared*/, MatrixView<const float> queries,
                               const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
                               SearchCounts& counts) const {
    search(queries, effort, mask, best, counts);
  }

  /// As search(), by queries that are rows of the segment, own[q] the q-th: that row may be offered, but is no way to
  /// others. For estimates of what queries from outside find, to whom no row leads that well.
  virtual void search_without(std::span<const std::uint32_t> /*own*/, MatrixView<const float> queries,
                              const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
                              SearchCounts& counts) const {
    search(queries, effort, mask, best, counts);
  }

  /// Looks at everything that opening has not. Throws DamagedFile.
  virtual void verify() const = 0;
};

/// Makes the structures of an index.
class StructureBuilder {
 public:
  virtual ~StructureBuilder() = default;

  /// Learns what all segments share out of the rows, and writes it as sections of segment 0. Called once in the life of
  /// an index, for its first segment. `vectors` are padded rows in mapped memory, as they will be searched.
  virtual void train(MatrixView<const float> /*vectors*/, SectionWriter& /*writer*/) {}

  /// Writes the structure's sections of one segment.
  virtual void write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) = 0;

  /// Bytes of memory that building takes besides the mapped vectors, at most; for rows of that number and padded
  /// length.
  virtual std::uint64_t memory(std::uint64_t rows, std::size_t padded_dim) const = 0;
};

}  // namespace cbir
