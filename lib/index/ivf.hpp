#pragma once
/// The inverted file: k-means divides the rows into lists, and a search looks only at those whose centroids are nearest
/// to the query (Sivic, Zisserman: Video Google, 2003; Jégou et al., 2011). A row's code is that of its difference from
/// its list's centroid; codes are scanned by pq4_scan, and the best candidates are scored exactly.
///
/// Estimates, with a row x = c + r in the list of centroid c, its code's r', the mean of all centroids m:
///   inner products   <q, c> + <q - m, r'> + <m, r>
///   l2               -|q - c|^2 + 2 <q - m, r'> - (|x - m|^2 - |c - m|^2)
/// The last term of each is exact, and stored with the row as its factor: what a common mean adds to every score is not
/// subject to the error of codes.

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <cbir/base/workspaces.hpp>
#include "lib/index/aligned.hpp"
#include "lib/index/pq4.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

/// What all segments share. Refers to memory that somebody else keeps.
struct IvfModel {
  Metric metric = Metric::cosine;
  Pq4Shape shape;
  MatrixView<const float> centroids;  ///< lists x padded_dim
  std::span<const float> codebooks;
  std::span<const float> mean;  ///< padded_dim
  float factor_least = 0, factor_range = 0;

  std::size_t lists() const { return centroids.rows; }
  std::size_t dim() const { return centroids.cols; }
};

/// Throws DamagedFile.
IvfModel read_ivf_model(const Container& container, const IndexMeta& meta);

class IvfBuilder : public StructureBuilder {
 public:
  /// A builder that will train; adds its parameters to `meta`.
  IvfBuilder(IndexMeta& meta, const StructureOptions& options, std::uint64_t rows);
  /// A builder of further segments.
  explicit IvfBuilder(const IvfModel& model) : model_(model) {}

  void train(MatrixView<const float> vectors, SectionWriter& writer) override;
  void write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) override;
  std::uint64_t memory(std::uint64_t rows, std::size_t padded_dim) const override;

 private:
  void train_codes(MatrixView<const float> vectors);

  std::size_t lists_ = 0;
  std::uint64_t seed_ = 0;
  IvfModel model_;
  std::vector<float> centroids_, codebooks_, mean_;  ///< what the model refers to if it was trained here
};

class IvfCoarse;

class IvfStructure : public Structure {
 public:
  /// Throws DamagedFile.
  IvfStructure(const Container& container, const IndexMeta& meta, const Segment& segment);

  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override;
  /// The lists to look into, tables, and the candidates: as many in all segments together as in one.
  std::unique_ptr<PreparedQueries> prepare(MatrixView<const float> queries, const SearchEffort& effort,
                                           const SearchScope& scope) const override;
  void search_prepared(PreparedQueries& prepared, MatrixView<const float> queries, const SearchEffort& effort,
                       const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const override;
  void verify() const override;
  ~IvfStructure() override;

 private:
  struct Workspace;
  struct Visit;
  struct Prepared;
  struct Plan;
  class Preparation;
  class Block;

  static WorkspacePool<Workspace>& workspaces();
  template <typename Search>
  static void each_block(std::size_t queries, SearchCounts& counts, const Search& search);
  std::size_t probe(const SearchEffort& effort, double share) const;
  const IvfCoarse* first_look(std::size_t queries, std::size_t probe) const;
  std::size_t wanted(const SearchEffort& effort, std::size_t k, double growth = 1) const;
  Plan plan(const SearchEffort& effort, const RowMask& mask, std::size_t k) const;
  bool few_pass(const Plan& plan) const;
  void score(std::span<const float> query, Workspace& room, TopK& best) const;

  std::string name_;
  IvfModel model_;
  Segment segment_;
  std::size_t probe_, candidates_;  ///< when a search names none
  std::span<const std::uint32_t> list_offsets_, list_rows_;
  const std::uint8_t* codes_ = nullptr;
  mutable std::atomic<std::uint64_t> asked_ = 0;  ///< queries until now
  mutable std::once_flag looked_;
  mutable std::unique_ptr<IvfCoarse> first_look_;
};

}  // namespace cbir
