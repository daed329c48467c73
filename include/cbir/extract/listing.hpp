#pragma once
/// Which files are to be extracted: walking folders, or taking a list, in a natural and stable order.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cbir {

struct ListingOptions {
  // Globs (glob_match) of names, or of paths below PATH; for walks only.
  std::vector<std::string> include;  ///< if any are given, only files that match one of them
  std::vector<std::string> exclude;  ///< files and folders that match one of them are left out
  bool hidden = false;               ///< whether a walk enters files and folders whose name starts with a dot
};

struct ListedFile {
  std::string path;
  bool named = false;   ///< named explicitly: it fails if it is no picture, while a walk passes it over
  std::string problem;  ///< not empty: it cannot be taken, and why (a folder that cannot be opened, a loop, ...)
};

struct Listing {
  std::vector<ListedFile> files;  ///< in the order of the rows to come
  std::uint64_t ignored = 0;  ///< passed over: neither a picture's signature nor a picture's extension, FIFOs, sockets
};

/// Walks folders, depth first, entries of a folder in natural order; PATHs themselves in the order given. Symbolic
/// links are followed; a loop is reported once and not entered. `path` is PATH as given, '/', and the path below it.
/// Throws MissingInput if a PATH does not exist, or if nothing at all was listed.
Listing list_paths(const std::vector<std::string>& paths, const ListingOptions& options);

/// The lines of a list (`separator` '\n' or '\0'), each a file named explicitly, verbatim. Empty lines are passed over.
Listing list_lines(std::string_view text, char separator);

}  // namespace cbir
