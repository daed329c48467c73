#pragma once
/// Rankings read back from files: the TSV of cbir-query (`query, rank, score, path`, and of
/// --verify inliers and model, which do not count) and TREC runs (`qid Q0 docid rank
/// score tag`), told apart by their first line.

#include <string>
#include <string_view>
#include <vector>

namespace cbir {

struct RankedQuery {
  std::string query;
  std::vector<std::string> results = {};  ///< paths, best first
  std::vector<double> scores = {};        ///< one a result
};

/// Queries in the order of their first lines. Ranks decide, not the order of lines; those of a query must be 1 to n (in
/// a TREC run also 0 to n - 1), so that a lost line shows. "-" is standard input. Throws MissingInput (no file, no
/// line), DamagedFile (naming the line and what is wrong with it).
std::vector<RankedQuery> read_ranking(const std::string& path);

/// As above, from memory; `name` is for messages.
std::vector<RankedQuery> parse_ranking(std::string_view text, const std::string& name);

}  // namespace cbir
