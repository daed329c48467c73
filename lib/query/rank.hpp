#pragma once
/// Hits into rankings, for all kinds of requests.

#include <vector>

#include <cbir/query/query.hpp>

namespace cbir {

/// Who asks: what a ranking says of its query.
struct Asker {
  std::string name = {};
  std::string picture = {};
  std::optional<std::uint64_t> row = {};
  std::optional<std::string> label = {};
  bool text = false;
  std::vector<RankedTerm> terms = {};
};

class Ranker {
 public:
  Ranker(const Index& index, const QueryOptions& options, const RankingSink& sink)
      : index_(index), options_(options), sink_(sink) {}

  /// Searches with the queries, one for each asker, and hands the rankings on in order.
  void rank(MatrixView<const float> queries, std::vector<Asker>& askers);

  QueryReport& report() { return report_; }

 private:
  std::vector<std::vector<Hit>> search(MatrixView<const float> queries, std::size_t k,
                                       const std::vector<Asker>& askers);
  /// Results that are looked for, some of which may then be cut off.
  std::size_t depth() const;
  Ranking make(Asker asker, const std::vector<Hit>& hits) const;
  void count(const Ranking& ranking, const std::vector<Hit>& hits);

  const Index& index_;
  const QueryOptions& options_;
  const RankingSink& sink_;
  QueryReport report_;
};

}  // namespace cbir
