#pragma once
/// Makes the structure of an index of one segment, whichever command writes it: chooses its type if need be, trains it,
/// and finds how far its searches must look.

#include <cstdint>
#include <span>
#include <string>

#include "lib/index/container.hpp"
#include "lib/index/structure.hpp"

namespace cbir {

/// How a structure is to be made.
struct StructurePlan {
  StructureOptions options = {};
  SearchEffort effort = {};    ///< 0: found by trial
  double target_recall = .95;  ///< that the trial aims at
  std::uint64_t memory = 0;    ///< bytes that may be used; 0: whatever it takes
};

/// As the structure was made that `meta` describes; what depends on the number of rows is found anew.
StructurePlan plan_of(const IndexMeta& meta);

/// Throws ResourceLimit, before any work, if so many rows take more memory than the plan allows. Of type "auto" the
/// least that any type takes counts.
void check_memory(const StructurePlan& plan, const IndexMeta& meta, std::uint64_t rows);

struct BuiltStructure {
  SearchEffort effort;
  RecallEstimate recall;
  std::string reason;  ///< of type auto
};

/// Writes the structure of segment 1, whose rows have been written with these ids, and then `meta`, to which type and
/// parameters are added. `path`: the index, beside which scratch files may lie.
BuiltStructure build_structure(ContainerWriter& writer, IndexMeta& meta, const StructurePlan& plan,
                               std::span<const std::uint64_t> ids, const std::string& path);

/// The one segment of an index that was not appended to.
inline constexpr std::uint32_t kFirstSegment = 1;

}  // namespace cbir
