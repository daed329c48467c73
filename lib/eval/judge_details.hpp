#pragma once
/// What is kept of judged rankings besides their measures: the first results, what was missed, curves.

#include <mutex>
#include <vector>

#include "histogram.hpp"
#include "judge.hpp"
#include "measures.hpp"
#include "names.hpp"

namespace cbir {

using Removed = std::vector<RankedItem>;  ///< what does not count of one ranking, by rank

class DetailCollector {
 public:
  DetailCollector(const Rankings& rankings, const GroundTruth& truth, const NameMatch& match,
                  const DetailOptions& options)
      : rankings_(rankings), truth_(truth), match_(match), options_(options) {}

  /// Thread-safe for different queries.
  void add(const QueryRanking& ranking, const Topic& topic, const JudgedRanking& judged, const Removed& removed,
           QueryScores& query);
  /// Of a topic without a ranking: everything was missed.
  void add_missing(const Topic& topic, QueryScores& query);

  void finish(Scores& scores);

 private:
  void list_top(const QueryRanking& ranking, const Topic& topic, const Removed& removed, QueryScores& query) const;
  void list_missed(const Topic& topic, const JudgedRanking& judged, QueryScores& query) const;

  const Rankings& rankings_;
  const GroundTruth& truth_;
  const NameMatch& match_;
  DetailOptions options_;
  std::mutex mutex_;
  PrecisionCurve curve_;
  ScoreHistogram histogram_;
};

}  // namespace cbir
