#pragma once
/// The protocol of the revisited Oxford and Paris (Radenović et al., Revisiting Oxford and Paris: Large-Scale Image
/// Retrieval Benchmarking, CVPR 2018): each query has easy and hard pictures, and junk.

#include <cstdint>
#include <string>
#include <vector>

#include <cbir/base/bytes.hpp>
#include <cbir/eval/boxes.hpp>
#include <cbir/eval/rankings.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

struct RevisitedQuery {
  std::string name;                             ///< the name of its picture; of a second query of that picture "NAME#2"
  std::string picture;                          ///< which is no part of the database
  std::vector<double> box;                      ///< x1, y1, x2, y2, or none
  std::vector<std::uint32_t> easy, hard, junk;  ///< in RevisitedTruth::images
};

struct RevisitedTruth {
  std::string file;
  std::vector<std::string> images;  ///< the database
  std::vector<RevisitedQuery> queries;
};

/// Reads gnd_roxford5k.pkl or gnd_rparis6k.pkl as published, which is data and is not run, or the same as JSON (told
/// apart by content): {"imlist": [NAME...], "qimlist": [NAME...], "gnd": [{"bbx": [x1, y1, x2, y2], "easy": [...],
/// "hard": [...], "junk": [...]}...]}, where easy, hard and junk hold positions in imlist (from 0), or names. bbx may
/// be missing. Throws MissingInput, DamagedFile, Incompatible, ResourceLimit.
RevisitedTruth read_revisited_truth(const std::string& path);
/// As above, from memory; `name` is for messages.
RevisitedTruth parse_revisited_truth(Bytes file, const std::string& name);

/// Throws MissingInput if a query has no box.
std::vector<QueryBox> boxes_of(const RevisitedTruth& truth);

struct RevisitedOptions {
  std::vector<std::size_t> cutoffs = {1, 5, 10};  ///< of mp@k
  DetailOptions details = {};
};

/// Measures map_easy (hard is junk then), map_medium, map_hard (easy is junk then), and mp@k_easy and so on. A query
/// without a relevant item has no value. The pictures of all queries are junk. Details are those of medium. Throws as
/// judge() does.
Scores evaluate_revisited(const RevisitedTruth& truth, const Rankings& rankings, const RevisitedOptions& options,
                          const EvaluationProgress& progress = {});

}  // namespace cbir
