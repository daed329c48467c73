#pragma once
/// The protocol of the Oxford Buildings (Philbin et al., Object Retrieval with Large Vocabularies and Fast Spatial
/// Matching, CVPR 2007) and of Paris 6K: for each query a list of pictures that show the building well ("good"), partly
/// ("ok"), or so little that it does not matter where they rank ("junk").

#include <optional>
#include <string>
#include <vector>

#include <cbir/eval/boxes.hpp>
#include <cbir/eval/rankings.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct OxfordQuery {
  std::string name;      ///< "all_souls_1"
  std::string landmark;  ///< "all_souls"
  QueryBox box;          ///< of the query in its picture, whose path is its name without "oxc1_"
  std::vector<std::string> good, ok, junk;
};

struct OxfordTruth {
  std::string folder;
  std::vector<OxfordQuery> queries;  ///< in natural order of their names
};

/// Reads NAME_query.txt (a picture's name, with or without "oxc1_", and x1 y1 x2 y2), NAME_good.txt, NAME_ok.txt and
/// NAME_junk.txt (a name a line) of each query. Throws MissingInput (no folder, no query, a list that is not there),
/// DamagedFile.
OxfordTruth read_oxford_truth(const std::string& folder);

enum class AveragePrecision {
  trapezoid,  ///< as the original program counts it
  standard    ///< as everybody else does
};

struct OxfordOptions {
  AveragePrecision precision = AveragePrecision::trapezoid;
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< of p@k
  std::optional<std::string> images;              ///< a file with the names of the whole collection, one a line
  DetailOptions details = {};
};

/// Measures, all of rankings without junk: "map" of good and ok, "map_good" (ok is junk then), "map_ok" (good is junk
/// then), "p@k"; and of the ranking as it is "junk_rank" and "junk_share", the mean rank of its junk and the mean of
/// that rank over the ranking's length. The query's own picture counts like any other. Throws as judge() does.
Scores evaluate_oxford(const OxfordTruth& truth, const Rankings& rankings, const OxfordOptions& options,
                       const EvaluationProgress& progress = {});

}  // namespace cbir
