#pragma once
/// The score down to which results are to be believed, found out on data whose answers are known.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cbir/eval/collection.hpp>
#include <cbir/index/index.hpp>

namespace cbir {

/// Relevant are pairs of a query and a row with the same label, or, by a manifest of cbir-doctor, of a copy and its
/// original.
struct CutoffRequest {
  std::string database;                     ///< a set or an index
  double precision = 0;                     ///< that is wanted: above 0, at most 1
  std::optional<std::string> queries = {};  ///< a set or an index; else every row queries all the others, by labels
  std::optional<std::string> labels = {};   ///< a TSV for LabelTable, instead of the labels that rows carry
  std::optional<std::string> manifest = {};
  std::optional<Metric> metric = {};  ///< instead of the database's own
  bool allow_mismatch = false;        ///< take queries of another encoder
};

struct CutoffReport {
  double score = 0;      ///< the cut-off, of nine significant digits; no other score lies between it and the exact one
  double precision = 0;  ///< of the pairs that score at least that
  double recall = 0;     ///< share of all relevant pairs that are among them
  std::uint64_t pairs = 0;           ///< that score at least that
  std::uint64_t relevant_pairs = 0;  ///< of all pairs
  std::uint64_t queries = 0;         ///< that count
  std::uint64_t all_pairs = 0;
  std::vector<std::string> remarks = {};
};

/// Of all thresholds that hold the precision the one of highest recall, exactly, over all pairs; which is the score of
/// a relevant pair. Queries with a label (or that the manifest names) count, against all rows. Progress is that of each
/// pass; see find_threshold. Throws MissingInput if no pair is relevant, or no threshold holds the precision;
/// UsageError for a precision out of range, or a manifest without queries; as Collection::open, check_queries,
/// read_copy_manifest.
CutoffReport find_cutoff(const CutoffRequest& request, const EvaluationProgress& progress = {});

std::string to_tsv(const CutoffReport& report);
std::string to_json(const CutoffReport& report);

}  // namespace cbir
