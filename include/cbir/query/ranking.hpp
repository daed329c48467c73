#pragma once
/// A ranking: what one query found, best first. Plain data, made by the query module and written by cli.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <cbir/store/rows.hpp>

namespace cbir {

/// What the keypoints of query and result prove (QueryOptions::verifier).
struct RankedProof {
  float similarity = 0;     ///< of the vectors
  double score = 0;         ///< as Verification::score
  bool verified = false;    ///< they show the same thing
  std::size_t inliers = 0;  ///< keypoints that agree on the transform
  /// From the query's picture to the result's, as Verification::transform; none if the keypoints agree on none, or were
  /// not compared.
  std::optional<std::array<double, 9>> transform = {};
  bool flat = true;                               ///< the transform takes points to points: it is no fundamental matrix
  std::array<int, 2> query_size = {}, size = {};  ///< of both pictures, in pixels
  std::vector<std::array<float, 2>> points = {};  ///< of the inliers, in the result's picture
};

struct RankedRow {
  std::uint64_t id = 0;
  float score = 0;                        ///< higher is better
  std::string path;                       ///< bytes, as the index has it
  std::optional<std::string> label = {};  ///< UTF-8
  bool text = false;                      ///< of a text, which `path` is
  std::string picture = {};               ///< path of the row's picture, if that is not `path`
  std::optional<RankedProof> proof = {};  ///< if keypoints were asked
  std::optional<RowBox> box = {};         ///< the part of that picture that the row is of
  int width = 0, height = 0;              ///< of that picture; 0: not known
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
  std::optional<std::uint64_t> row = {};  ///< id, if the query is a row of the index; `picture` is then that row's
  std::optional<std::string> label = {};  ///< of that row
  bool text = false;                      ///< the query is a text
  std::vector<RankedTerm> terms = {};     ///< of a combined query
  std::vector<RankedRow> results = {};    ///< score descending, then id ascending
};

}  // namespace cbir
