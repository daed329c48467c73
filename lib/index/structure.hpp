#pragma once
/// What a type of index has to provide: a structure over the rows of each segment that finds candidates, and a builder
/// that makes it. Candidates are always scored exactly, by the kernels of scan.hpp.

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
