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
};

struct Ranking {
  std::string query;                      ///< a path, or the 0-based row of Q.npy
  std::string picture = {};               ///< path of the query's picture; empty if there is none
  std::optional<std::uint64_t> row = {};  ///< id, if the query is a row of the index; `picture` is then that row's path
  std::optional<std::string> label = {};  ///< of that row
  std::vector<RankedRow> results = {};    ///< score descending, then id ascending
};

}  // namespace cbir
