#pragma once
/// Writers of groups of duplicates, one a format. They stream.

#include <memory>
#include <string>
#include <vector>

#include <cbir/base/file.hpp>
#include <cbir/cli/html.hpp>
#include <cbir/dedup/dedup.hpp>

namespace cbir {

class DuplicatesWriter {
 public:
  virtual ~DuplicatesWriter() = default;

  /// Throws OutputError.
  virtual void write(const DuplicateGroup& group) = 0;

  /// Writes what comes after the last group. The caller commits the file.
  virtual void finish() {}
};

/// A line a row, that which is kept first: `group<TAB>keep|duplicate<TAB>score<TAB>least<TAB>path`: groups count from
/// 1, score is with the row that is kept, least the group's; the path is escaped by tsv_escape().
std::unique_ptr<DuplicatesWriter> make_duplicates_tsv_writer(OutputFile& out);

/// The raw paths of rows that are not kept, each ended by NUL.
std::unique_ptr<DuplicatesWriter> make_duplicates_nul_writer(OutputFile& out);

/// A JSON object a group: group, least, keep (an object) and duplicates (an array of objects), these with source (if
/// `sources` holds more than one name), id, score, path, label, bytes, mtime, width, height, as far as known.
std::unique_ptr<DuplicatesWriter> make_duplicates_jsonl_writer(OutputFile& out, std::vector<std::string> sources);

/// What the page's head says.
struct DuplicatesFacts {
  std::string subject;  ///< the sources, as named
  std::string against = {};
  std::string encoder;  ///< empty if not known
  Metric metric = Metric::cosine;
  std::uint64_t rows = 0, groups = 0, duplicates = 0;
  float threshold = 0;
};

/// A page with a section a group: what is kept on the left, its duplicates on the right.
std::unique_ptr<DuplicatesWriter> make_duplicates_html_writer(OutputFile& out, const DuplicatesFacts& facts,
                                                              const ThumbnailOptions& thumbnails);

}  // namespace cbir
