#pragma once
/// The linking of a hierarchical navigable small world graph (Malkov and Yashunin, 2016), by hnswlib.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace cbir {

/// The distance of two points; `parameter` is what GraphLinker was given.
using PointDistance = float (*)(const void* a, const void* b, const void* parameter);

struct LinkingOptions {
  std::size_t links = 16;  ///< M
  std::size_t ef_construction = 200;
  std::uint64_t seed = 1;
};

/// Nodes are numbered in the order in which they came in.
class GraphLinker {
 public:
  /// For at most `capacity` points of point_bytes each. Throws ResourceLimit.
  GraphLinker(std::size_t capacity, std::size_t point_bytes, PointDistance distance, const void* parameter,
              const LinkingOptions& options);
  ~GraphLinker();

  /// Copies the point and links it to its neighbours. Several threads may add at once; the graph then depends on
  /// which comes first. Throws ResourceLimit.
  void add(const void* point, std::uint32_t row);

  // All that follows is for when nobody adds any more.
  std::size_t size() const;
  std::uint32_t row(std::uint32_t node) const;
  const std::byte* point(std::uint32_t node) const;
  std::size_t level(std::uint32_t node) const;  ///< the highest one that the node is on
  std::span<const std::uint32_t> links(std::uint32_t node, std::size_t level) const;
  std::uint32_t entry() const;  ///< a node of the highest level of all

  /// Bytes of memory for so many points, at most.
  static std::uint64_t memory(std::uint64_t capacity, std::size_t point_bytes, std::size_t links);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cbir
