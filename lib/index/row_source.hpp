#pragma once
/// Rows on their way into a segment, from embedding sets or from other indexes.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <cbir/store/set.hpp>

#include "lib/index/opened.hpp"

namespace cbir {

/// What is stored of a row besides its vector.
struct StoredRow {
  std::string line;  ///< JSON, without newline
  std::uint64_t path_hash = 0;
  std::uint64_t label_hash = 0;
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual std::uint64_t size() const = 0;
  virtual std::size_t dim() const = 0;
  /// Rows [first, first + count) as they are to be stored, `stride` floats apart; what pads them is left alone. Throws
  /// for vectors that an index cannot hold.
  virtual void vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const = 0;
  /// May be called from several threads. Throws DamagedFile.
  virtual StoredRow row(std::uint64_t i) const = 0;
};

/// The rows of embedding sets of one dimension, one set after another; but of parts of a list in the order of that
/// list.
class SetRows : public RowSource {
 public:
  /// Rows of a bare .npy are called by their numbers in it; or by numbers from *first_name, through all sets. Throws
  /// Incompatible if rows of parts stand at the same place of their list, or do not say where.
  SetRows(std::span<const EmbeddingSet> sets, bool normalize, const std::uint64_t* first_name = nullptr);

  std::uint64_t size() const override { return firsts_.back(); }
  std::size_t dim() const override { return sets_.front().dim(); }
  void vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const override;
  StoredRow row(std::uint64_t i) const override;
  RowInfo info(std::uint64_t i) const;

 private:
  struct Place {
    std::size_t set = 0;
    std::uint64_t row = 0;
  };
  Place place(std::uint64_t i) const;
  void sort_by_seq();
  void read(const Place& place, std::size_t count, float* out, std::size_t stride) const;
  bool renamed(std::size_t set) const { return renames_ && !sets_[set].manifest(); }

  std::span<const EmbeddingSet> sets_;
  std::vector<std::uint64_t> firsts_;  // of each set, and the end
  std::vector<std::uint64_t> order_;   // of parts of a list: the row, counted through all sets, at each place
  bool normalize_;
  bool renames_;
  std::uint64_t first_name_;
};

/// The rows that are left of indexes of one dimension, one index after another; but of parts of a list in the order of
/// that list.
class IndexRows : public RowSource {
 public:
  explicit IndexRows(std::vector<const OpenedIndex*> indexes);

  std::uint64_t size() const override { return firsts_.back(); }
  std::size_t dim() const override { return static_cast<std::size_t>(indexes_.front()->info.dim); }
  void vectors(std::uint64_t first, std::size_t count, float* out, std::size_t stride) const override;
  StoredRow row(std::uint64_t i) const override;
  std::uint64_t id(std::uint64_t i) const;

 private:
  const OpenedIndex& index_of(std::uint64_t i, RowPlace& place) const;

  std::vector<const OpenedIndex*> indexes_;
  std::vector<std::uint64_t> firsts_;
  std::vector<std::uint64_t> order_;  // as in SetRows
};

}  // namespace cbir
