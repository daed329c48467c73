#pragma once
/// What the two ways to judge copies share, by rankings and by exact search.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <cbir/eval/copies.hpp>

#include "pair_curve.hpp"

namespace cbir {

/// Whether `part` is `path` or whole trailing components of it.
bool is_tail(std::string_view part, std::string_view path);

/// The path of the picture that a distractor was made of, as far as the copy's name tells.
std::string source_name(const CopyTruth& distractor);

/// Finds the copy that a query is.
class CopyNames {
 public:
  explicit CopyNames(const std::vector<CopyTruth>& truth);
  std::optional<std::size_t> find(std::string_view query) const;

 private:
  const std::vector<CopyTruth>& truth_;
  std::unordered_multimap<std::string, std::size_t> by_base_name_;
};

/// Rows of a database by whole trailing components of their paths.
class RowNames {
 public:
  explicit RowNames(const std::vector<std::string>& paths);
  /// Ascending.
  std::vector<std::uint32_t> find(const std::string& tail) const;

 private:
  const std::vector<std::string>& paths_;
  std::unordered_multimap<std::string, std::uint32_t> by_base_name_;
};

/// What became of one copy.
struct CopyOutcome {
  std::string query;          ///< as the ranking names it; empty: it has no ranking
  std::uint64_t rank = 0;     ///< of the original; 0: not found
  double score = 0;           ///< of that
  bool finds_source = false;  ///< a distractor whose picture is among the results, by its name
  std::vector<JudgedItem> top = {}, missed = {};
};

/// Attacks as numbers, in the order of the manifest.
struct AttackGroups {
  explicit AttackGroups(const std::vector<CopyTruth>& truth);

  std::vector<std::string> names;
  std::vector<std::size_t> of_copy;
};

/// Throws MissingInput if all copies are distractors.
void demand_originals(const std::vector<CopyTruth>& truth);

/// Scores of outcomes, one a copy, and of their pairs.
Scores score_copies(const std::vector<CopyTruth>& truth, const AttackGroups& attacks, std::vector<CopyOutcome> outcomes,
                    const PairCounter& pairs, std::uint64_t unknown_queries, bool curves);

/// Right pairs of the outcomes.
std::vector<RightPair> right_pairs(const std::vector<CopyOutcome>& outcomes, const AttackGroups& attacks);

[[noreturn]] void refuse_twice(const std::string& query, const std::string& other, const std::string& copy);
[[noreturn]] void refuse_strangers(const std::string& query, const std::string& copy);

}  // namespace cbir
