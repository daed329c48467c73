#pragma once
/// Copy detection: queries are doctored copies, whose one right answer is the original, and distractors, which have
/// none. The manifest of cbir-doctor says which is which.
///
/// Of each query that has an original, with its rank r: first, 1 if r = 1; mrr, 1 / r; r@10, 1 if r <= 10; all 0 if it
/// is not in the ranking. Of all pairs of a query and a result together, in the order of their scores, those of equal
/// score as one step: micro_ap, the sum over steps of precision times what recall grows by; recall@p90, the highest
/// recall at which precision is at least .9, and threshold@p90, the score down to which that is (Douze et al., The 2021
/// Image Similarity Dataset and Challenge, 2021; whose program breaks ties instead, wrong pairs first). Recall is of
/// all copies that have an original, retrieved or not. A further result that answers to the name of the original is
/// junk.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/eval/collection.hpp>
#include <cbir/eval/ranking_file.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct CopyTruth {
  std::string copy;      ///< below the manifest's folder
  std::string original;  ///< as it was given to cbir-doctor; empty: a distractor
  std::string attack;
};

/// `copy, original, attack, more columns ignored`, fields escaped as in all our TSV files.
/// Throws MissingInput (no file, no line), DamagedFile (fewer columns, a copy that stands twice).
std::vector<CopyTruth> read_copy_manifest(const std::string& path);
std::vector<CopyTruth> parse_copy_manifest(std::string_view text, const std::string& name);

/// A query stands for the copy, and a result for the original, whose path are whole trailing components of its own
/// ("copies/birds/owl.jpg" for "birds/owl.jpg"; the longest such copy). Queries are those of the manifest, groups are
/// attacks. Counts: first_count; distractors; queries_missing, copies that have no ranking, which count as not found;
/// queries_unknown, which the manifest does not name and do not count. Measures of an attack are those of its copies,
/// micro-averages those of its pairs, distractors included.
/// Throws Incompatible if no query is a copy of the manifest, or two queries are the same one; MissingInput if all are
/// distractors.
Scores evaluate_copies(const std::vector<CopyTruth>& truth, const std::vector<RankedQuery>& ranking,
                       const DetailOptions& details = {});

struct CopySearch {
  std::string database, queries;      ///< sets or indexes
  std::optional<Metric> metric = {};  ///< instead of the database's own
  bool allow_mismatch = false;        ///< take queries of another encoder
  Improvements improve = {};          ///< what is done to the vectors first
  DetailOptions details = {};
};

/// The same of all pairs of a query and a row of the database, scored exactly. Throws as Collection::open,
/// Collection::check_queries and Collection::improve, too.
Scores evaluate_copies(const std::vector<CopyTruth>& truth, const CopySearch& search,
                       const EvaluationProgress& progress = {});

}  // namespace cbir
