#pragma once
/// Copy detection: each query is a doctored copy, and its one right answer is the original. The manifest of cbir-doctor
/// says which that is.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <cbir/eval/ranking_file.hpp>

namespace cbir {

struct CopyTruth {
  std::string copy;      ///< below the manifest's folder
  std::string original;  ///< as it was given to cbir-doctor
  std::string attack;
};

/// `copy, original, attack, more columns ignored`, fields escaped as in all our TSV files.
/// Throws MissingInput (no file, no line), DamagedFile (fewer columns, a copy that stands twice).
std::vector<CopyTruth> read_copy_manifest(const std::string& path);
std::vector<CopyTruth> parse_copy_manifest(std::string_view text, const std::string& name);

/// Means over copies; a copy whose original is not in its ranking has rank infinity.
struct CopyScores {
  std::uint64_t queries = 0;
  std::uint64_t first_count = 0;  ///< originals at rank 1
  double first = 0;               ///< their share
  double mrr = 0;                 ///< of 1 / rank of the original
  double recall_10 = 0;           ///< share of originals at ranks 1 to 10
};

struct CopyReport {
  CopyScores all;
  std::vector<std::pair<std::string, CopyScores>> per_attack;  ///< in the order of the manifest
  std::vector<std::string> missing;   ///< copies that the ranking has no query for; they count as not found
  std::uint64_t unknown_queries = 0;  ///< queries that the manifest does not name; they do not count
  std::uint64_t longest = 0;          ///< results of the query that has most
  bool any_found = false;             ///< whether any original stands in the ranking of its copy
};

/// A query stands for the copy, and a result for the original, whose path are whole trailing components of its own
/// ("copies/birds/owl.jpg" for "birds/owl.jpg"; the longest such copy).
/// Throws Incompatible if no query is a copy of the manifest, or two queries are the same one.
CopyReport evaluate_copies(const std::vector<CopyTruth>& truth, const std::vector<RankedQuery>& ranking);

}  // namespace cbir
