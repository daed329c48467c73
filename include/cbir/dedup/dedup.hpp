#pragma once
/// Near-duplicates: groups of rows in which every row resembles every other.
///
/// Two rows resemble each other if they score a threshold or more, by the exact kernels (scan.hpp), or if their vectors
/// are the same, number by number. Groups are those of complete linkage (Defays, An efficient algorithm for a complete
/// link method, 1977), cut at the threshold: rows of the same vector are one to begin with; then pairs of rows are
/// taken from the highest score down, of equal scores by the first row, then by the second, and whenever the last pair
/// between two groups has been taken these become one. So every pair in a group reaches the threshold, and no two
/// groups could be joined whole. No pair that reaches the threshold is missed.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/index/index.hpp>
#include <cbir/store/rows.hpp>

namespace cbir {

/// Which row of a group is to be kept. Ties, and groups of which nothing is known, go to the first row.
enum class Keep {
  largest,  ///< most pixels; of equally many, most bytes of file. What is not known counts as none
  oldest,   ///< file changed first. What is not known counts as newest
  first     ///< first row
};

Keep parse_keep(std::string_view name);  ///< throws UsageError

/// Under cosine: of what is alike at a glance; see the man page for what lies around it.
inline constexpr float kDuplicateCosine = 0.95F;

struct DedupOptions {
  std::vector<std::string> sources = {};  ///< sets, and indexes (files that end in ".cbir"); rows of all, in this order
  std::optional<std::string> against = {};  ///< look for rows of the sources that resemble one of these, instead
  std::optional<Metric> metric = {};        ///< cosine or l2, instead of the sources' own
  std::optional<float> threshold = {};      ///< least score; kDuplicateCosine if not given, under l2 it must be
  Keep keep = Keep::largest;
  std::uint64_t max_pairs = 20'000'000;  ///< that are kept in memory, some 12 to 60 bytes each
  bool allow_mismatch = false;           ///< compare vectors of different encoders
};

struct DuplicateRow {
  std::size_t source = 0;  ///< its number in DedupOptions::sources; for a row of `against` their number
  std::uint64_t id = 0;    ///< in an index; of a set: the row's number
  RowInfo info;
  float score = 0;  ///< with the row that is kept, for which it is its score with itself
};

struct DuplicateGroup {
  std::vector<DuplicateRow> rows;  ///< two or more, the one to be kept first, the others by source and row
  float least = 0;                 ///< least score of any two of them; with `against`, of any with the one kept
};

struct DedupReport {
  std::vector<DuplicateGroup> groups;  ///< by their first rows, with `against` by the kept ones
  Metric metric = Metric::cosine;
  float threshold = 0;
  std::string encoder = {};      ///< of the first source; empty if not known
  std::uint64_t rows = 0;        ///< of the sources
  std::uint64_t against = 0;     ///< rows that they were compared with, if others
  std::uint64_t duplicates = 0;  ///< rows that are not kept
  std::uint64_t pairs = 0;       ///< of rows with different vectors that reached the threshold
  std::uint64_t same_file = 0;   ///< rows left out of groups, being the very file that another row there is
  bool keep_unknown = false;     ///< no row of any group says what it is to be chosen by
};

using DedupProgress = std::function<void(std::uint64_t pairs_done, std::uint64_t pairs)>;

/// Groups of the sources' rows. A row whose path leads to the file of another row in its group (the same path, a link)
/// is left out: it must not be taken for a copy.
///
/// With `against`, a group is a row of that with the sources' rows that resemble it more than any other of its rows
/// (of equals, the first); it is kept whatever `keep` says, and these need not resemble each other.
///
/// Throws as EmbeddingSet::open and Index::open do; MissingInput (no rows), Incompatible (dimensions, encoders, metric
/// of an index; a zero row under cosine), UsageError (no threshold under l2; a threshold that no pair, or every pair,
/// reaches; the metric dot, under which a row need not be most like itself), ResourceLimit (more than max_pairs).
DedupReport find_duplicates(const DedupOptions& options, const DedupProgress& progress = {});

}  // namespace cbir
