#pragma once
/// A hierarchical navigable small world graph over the rows of a segment: hnswlib links it, over int8 codes, and it is
/// searched here, in the mapped file. What the walk finds is scored exactly.
///
/// Geometry. The graph lies in the space of the vectors less their mean (a section of segment 0), under Euclidean
/// distance; under cosine, where all vectors are of length 1, that ranks as the inner product does. Under dot a vector
/// x gets one more element, sqrt(R^2 - |x|^2) with R the greatest length, by which the inner product becomes a distance
/// (Bachrach et al. 2014).
///
/// Rows of equal codes are copies of the first one: only that is in the graph, the others are a chain behind it. Linked
/// as neighbours they would fill each other's lists and cut themselves off.
///
/// A segment of fewer than kMinGraphRows has no graph and is searched as one of type flat.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <cbir/base/workspaces.hpp>
#include "lib/index/hnsw_layout.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

inline constexpr std::size_t kMinGraphRows = 4096;

/// The graph depends on the order in which threads link rows: with one thread the same input gives the same bytes.
class HnswBuilder : public StructureBuilder {
 public:
  /// For a new index: adds links, ef_construction, ef and seed to the parameters. Throws UsageError.
  static std::unique_ptr<StructureBuilder> create(IndexMeta& meta, const StructureOptions& options);
  static std::unique_ptr<StructureBuilder> open(const Container& container, const IndexMeta& meta);

  void train(MatrixView<const float> vectors, SectionWriter& writer) override;
  void write_segment(std::uint32_t segment, MatrixView<const float> vectors, SectionWriter& writer) override;
  std::uint64_t memory(std::uint64_t rows, std::size_t padded_dim) const override;

 private:
  HnswBuilder(Metric metric, std::size_t links, std::size_t ef_construction, std::uint64_t seed)
      : metric_(metric), links_(links), ef_construction_(ef_construction), seed_(seed) {}

  Metric metric_;
  std::size_t links_, ef_construction_;
  std::uint64_t seed_;
  std::vector<float> mean_;
};

class GraphWorkspace;

class HnswStructure : public Structure {
 public:
  /// Throws DamagedFile if sections are not of the size that they should be. Links are checked when they are followed.
  HnswStructure(const Container& container, const IndexMeta& meta, const Segment& segment);
  ~HnswStructure() override;

  void search(MatrixView<const float> queries, const SearchEffort& effort, const RowMask& mask, std::span<TopK> best,
              SearchCounts& counts) const override;
  void search_without(std::span<const std::uint32_t> own, MatrixView<const float> queries, const SearchEffort& effort,
                      const RowMask& mask, std::span<TopK> best, SearchCounts& counts) const override;
  void verify() const override;

 private:
  Segment segment_;
  Metric metric_;
  std::size_t ef_;
  std::span<const float> mean_;
  Graph graph_;
  mutable WorkspacePool<GraphWorkspace> workspaces_;
};

/// The structure over a segment of an index of type hnsw: HnswStructure, or what open_flat gives where there is no
/// graph.
std::unique_ptr<Structure> open_hnsw(const Container& container, const IndexMeta& meta, const Segment& segment);

}  // namespace cbir
