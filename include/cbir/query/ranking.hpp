#pragma once
/// A ranking: what one query found, best first. Plain data, made by the query module and written by cli.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cbir {

struct RankedRow {
  std::uint64_t id = 0;
  float score = 0;                        ///< higher is better
  std::string path;                       ///< bytes, as the index has it
  std::optional<std::string> label = {};  ///< UTF-8
  bool text = false;                      ///< of a text, which `path` is
};

/// A part of a combined query: a picture's path, or a text.
struct RankedTerm {
  std::string value;
  bool text = false;
  double weight = 1;
};

struct Ranking {
  std::string query;                      ///< a path, the 0-based row of Q.npy, a text, or terms with " + " between
  std::string picture = {};               ///< path of the query's picture; empty if there is none
  std::optional<std::uint64_t> row = {};  ///< id, if the query is a row of the index; `picture` is then that row's path
  std::optional<std::string> label = {};  ///< of that row
  bool text = false;                      ///< the query is a text
  std::vector<RankedTerm> terms = {};     ///< of a combined query
  std::vector<RankedRow> results = {};    ///< score descending, then id ascending
};

}  // namespace cbir
