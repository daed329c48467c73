#pragma once
/// What cbir-extract says of a run.

#include <string>

#include <cbir/extract/extract.hpp>

namespace cbir {

/// "3 added, 1 changed, 1 moved, 2 deleted, 9993 unchanged".
std::string describe(const Changes& changes);

/// One JSON object and a newline: "rows", "failed", "encoded", "resumed", "nothing_to_do", and of an update "added",
/// "changed", "moved", "deleted", "unchanged".
std::string to_json(const ExtractReport& report);

}  // namespace cbir
