#pragma once
/// Rankings to be judged, wherever they come from: a run that lists them, or a set or an index that is searched,
/// exactly, when they are asked for.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <cbir/eval/collection.hpp>

namespace cbir {

struct RankingSource {
  std::string name;  ///< an index, a set, or a run (TSV of cbir-query, TREC; "-" is standard input)
  std::optional<std::string> queries = {};  ///< a set or an index whose rows query it; else rows of itself do
  std::optional<Metric> metric = {};        ///< instead of the set's own
  bool allow_mismatch = false;              ///< take queries of another encoder
  Improvements improve = {};                ///< what is done to the vectors of a set or an index first
};

struct RankedItem {
  std::uint32_t item = 0;  ///< in Rankings::items()
  std::uint64_t rank = 0;  ///< from 1
  double score = 0;        ///< higher is better
};

/// The ranking of one query. It holds an item once at most.
class QueryRanking {
 public:
  virtual ~QueryRanking() = default;
  virtual std::uint64_t size() const = 0;
  /// Those of `items` (ascending, each once) that are in the ranking, by rank.
  virtual std::vector<RankedItem> find(std::span<const std::uint32_t> items) const = 0;
  /// The best, in order; fewer if the ranking is shorter.
  virtual std::vector<RankedItem> first(std::size_t count) const = 0;
  /// Of all its items but those of `without` (ascending), in any order.
  virtual std::vector<float> scores(std::span<const std::uint32_t> without) const = 0;
};

/// Rankings by named queries. An item that stands in one ranking several times counts where it stands first, and later
/// ones close up. Ties of a set or an index are ranked by ascending row; in a run its ranks decide.
class Rankings {
 public:
  /// Throws as Collection::open and read_ranking do; Incompatible if queries and database cannot be compared;
  /// UsageError for `queries`, `metric` or `improve` with a run; and as Collection::improve does.
  static Rankings open(const RankingSource& source);
  ~Rankings();
  Rankings(Rankings&&) noexcept;
  Rankings& operator=(Rankings&&) noexcept;

  const std::string& name() const noexcept;
  /// A run lists what was found; a set or an index ranks all its rows.
  bool is_run() const noexcept;
  /// Whether rows of a set or an index query it themselves.
  bool queries_itself() const noexcept;

  const std::vector<std::string>& items() const noexcept;
  /// Of all that may query.
  const std::vector<std::string>& queries() const noexcept;
  /// The path of the picture that a query of a set or an index was made of; empty if there is none, or in a run.
  std::string query_picture(std::size_t query) const;
  /// Results of a run that are left out because their ranking holds them already.
  std::uint64_t doubles() const noexcept;

  /// Calls consume(i, ranking of query queries()[chosen[i]]), from several threads, each i once, in any order. The
  /// ranking lives during the call. Throws DamagedFile for a score that is not finite.
  void each(std::span<const std::size_t> chosen,
            const std::function<void(std::size_t i, const QueryRanking& ranking)>& consume) const;

 private:
  struct Impl;
  explicit Rankings(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cbir
