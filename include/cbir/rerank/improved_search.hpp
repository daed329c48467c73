#pragma once
/// Search with vectors that are centred or whitened first, and with queries that are expanded by what they find.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/index/index.hpp>
#include <cbir/rerank/neighbours.hpp>
#include <cbir/rerank/transform.hpp>

namespace cbir {

/// What is done for better rankings. Everything here compares directions: it is for the metric cosine.
struct Improvements {
  bool center = false;      ///< subtract the mean of the database
  std::string whiten = {};  ///< file of a whitening, which subtracts its own mean; empty: none
  std::size_t expand = 0;   ///< rows that a query is expanded by; 0: it is not
  double expand_alpha = 3;  ///< their weight is the similarity to this power
  bool any() const noexcept { return center || !whiten.empty() || expand > 0; }
};

/// Throws UsageError for improvements that exclude each other, or an alpha that means nothing.
void check_improvements(const Improvements& improvements);

/// Alpha-weighted query expansion (Radenovic, Tolias and Chum, Fine-tuning CNN image retrieval with no human
/// annotation, TPAMI 2018): query + sum of max(0, s)^alpha * row over rows with similarity s, brought to length 1.
/// `query` is of length 1, or zero and then stays so.
void expand_query(std::span<float> query, const std::vector<std::span<const float>>& rows,
                  std::span<const float> similarities, double alpha);

/// Improved search of one index, which must outlive it. Where vectors are centred or whitened, every row is compared;
/// where queries are expanded alone, the index's own structure is used, twice.
class ImprovedSearch {
 public:
  /// Takes a pass over the index's vectors if they are centred, two if they are whitened; keeps 4 bytes a row.
  /// Throws UsageError, Incompatible (another metric than cosine; a whitening of other vectors, unless
  /// `allow_mismatch`), and as read_whitening does.
  ImprovedSearch(const Index& index, const Improvements& improvements, bool allow_mismatch);
  ~ImprovedSearch();
  ImprovedSearch(ImprovedSearch&&) noexcept;
  ImprovedSearch& operator=(ImprovedSearch&&) noexcept;

  /// As Index::search. `own`: the id of the row that a query is, one a query; it does not expand itself.
  std::vector<std::vector<Hit>> search(MatrixView<const float> queries,
                                       std::span<const std::optional<std::uint64_t>> own, std::size_t k,
                                       const SearchEffort& effort, SearchCounts& counts,
                                       const RowFilter* filter = nullptr) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The same for whole collections in memory. `queries`: nothing if every row of the database asks, and is no result of
/// its own. Queries are replaced by what is to be compared with the rows of the database, which is changed, too.
void improve(Vectors& database, std::optional<Vectors>& queries, const Improvements& improvements, bool allow_mismatch);

}  // namespace cbir
