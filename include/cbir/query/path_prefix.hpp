#pragma once
/// Paths of an index as they are shown.

#include <string>

namespace cbir {

/// Shows paths that begin with `from` with `to` in its place.
struct PathPrefix {
  std::string from = {}, to = {};

  std::string apply(std::string path) const;
  std::string undo(std::string path) const;  ///< the inverse
};

}  // namespace cbir
