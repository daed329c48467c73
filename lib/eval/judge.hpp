#pragma once
/// A ground truth of names and the rankings that it judges, brought together: who is who, what is missing, where judged
/// items rank. Protocols differ in what they read and in what they measure of a judged ranking.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <cbir/eval/collection.hpp>
#include <cbir/eval/rankings.hpp>
#include <cbir/eval/scores.hpp>

namespace cbir {

/// A query of the ground truth.
struct Topic {
  std::string name;
  std::string picture = {};                ///< another name that its query may have; empty: none
  std::string group = {};                  ///< for Scores
  std::vector<std::uint32_t> judged = {};  ///< in GroundTruth::names, ascending, each once
  std::vector<Mark> marks = {};            ///< one for each of `judged`
  std::uint64_t relevant = 0;              ///< items that it asks for
};

struct GroundTruth {
  std::vector<std::string> names;  ///< of items, each once
  std::vector<Topic> topics;
  std::string prefix = {};     ///< that may precede a name; see match_names
  bool names_are_all = false;  ///< `names` are all that there should be: others are reported
  std::size_t unexpected = 0;  ///< as many of the last names need not be there
  bool answers_itself = true;  ///< else a row that queries its own set, and is not judged, is taken out
  std::string origin = {};     ///< the file or folder that it was read from, for messages
};

/// A judged item that the ranking holds.
struct Placed {
  std::size_t judgement = 0;  ///< in Topic::judged
  std::uint32_t item = 0;     ///< in Rankings::items()
  std::uint64_t rank = 0;     ///< from 1, junk counted, doubles not
  double score = 0;
};

struct JudgedRanking {
  std::vector<Placed> placed;  ///< by rank
  std::uint64_t size = 0;      ///< items in the ranking, doubles not counted

  /// Ranks of the relevant items once junk is taken out, by `marks`, which are parallel to Topic::judged.
  std::vector<std::uint64_t> clean_ranks(const std::vector<Mark>& marks) const;
};

/// The values of one topic, one a measure. A topic without a ranking has an empty one. Called from several threads.
using TopicMeasure = std::function<std::vector<double>(std::size_t topic, const JudgedRanking& ranking)>;

/// Sets queries (in the order of the topics), counts, remarks and details of `scores`, whose protocol and measures are
/// set. Topics without a relevant item are left out and counted ("queries_empty"); those without a ranking found
/// nothing
/// ("queries_missing"). Throws Incompatible if no query is a topic.
void judge(const Rankings& rankings, const GroundTruth& truth, const TopicMeasure& measure,
           const DetailOptions& details, const EvaluationProgress& progress, Scores& scores);

/// "a, b, c and 7 more": names for a remark.
std::string name_some(const std::vector<std::string_view>& names);

}  // namespace cbir
