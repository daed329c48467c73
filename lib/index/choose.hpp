#pragma once
/// Which type of index suits rows best: all are tried.

#include <span>
#include <string>

#include "lib/index/structure.hpp"

namespace cbir {

struct Choice {
  std::string type;
  std::string reason;  ///< what each type takes for a query
};

/// Builds each of the types over the rows, or over samples of two sizes if they are many, lets each reach the wanted
/// recall, and times it: many queries at once, and one at a time. The winner has the least product of the two; for
/// samples, of what they grow to. flat, which is exact, gives way only to what is clearly faster, and wins untried if
/// there are few rows. `meta` says metric and dimension; scratch files lie beside `path`, without a name. Throws
/// OutputError.
Choice choose_type(const Segment& segment, const IndexMeta& meta, std::span<const std::string> types,
                   const StructureOptions& options, double target_recall, const std::string& path);

}  // namespace cbir
