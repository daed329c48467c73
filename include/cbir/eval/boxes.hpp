#pragma once
/// Boxes of query pictures, as the Oxford protocols crop them before they are encoded: the file of `cbir-extract
/// --boxes`. A line a box: id, path, x1, y1, x2, y2 between tabs, in pixels of the upright picture; id and path escaped
/// as in all our TSV files. The layout is docs/formats.md.

#include <optional>
#include <string>
#include <vector>

namespace cbir {

struct QueryBox {
  std::string id;    ///< of the query; a row that is made of the box is named so
  std::string path;  ///< of the picture
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

std::string to_tsv(const std::vector<QueryBox>& boxes);

/// Turns paths that are mere names of pictures into paths of files: of what lies below `folder` under the base name,
/// whatever its extension. Without a folder they stay names, which cbir-extract finds the extensions of. Throws
/// MissingInput if a picture is not there.
void locate_pictures(std::vector<QueryBox>& boxes, const std::optional<std::string>& folder);

}  // namespace cbir
