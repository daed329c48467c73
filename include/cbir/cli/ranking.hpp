#pragma once
/// Writers of rankings, one a format. They stream: a ranking is written when it comes and not kept.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <cbir/base/file.hpp>
#include <cbir/query/ranking.hpp>

namespace cbir {

enum class RankingFormat { tsv, jsonl, trec, html };

RankingFormat parse_ranking_format(std::string_view name);  ///< throws UsageError

class RankingWriter {
 public:
  virtual ~RankingWriter() = default;

  /// Throws OutputError.
  virtual void write(const Ranking& ranking) = 0;

  /// A query without ranking, and why; only JSON Lines says so: query and "error".
  virtual void write_failure(const std::string& /*query*/, const std::string& /*reason*/) {}

  /// Ends the rankings of one request of a dialogue and hands them on: an empty record.
  virtual void end_answer() {}

  /// Writes what comes after the last ranking. The caller commits the file.
  virtual void finish() {}
};

/// A score as all formats print it: six decimals, never "-0.000000".
std::string format_score(float score);

/// The nine numbers of a transform with commas between; "-" if there is none.
std::string format_transform(const std::optional<std::array<double, 9>>& transform);

/// `query<TAB>rank<TAB>score<TAB>path`, and of results with a proof `<TAB>inliers<TAB>model`, by format_transform();
/// query and path escaped by tsv_escape(). With `nul` the record ends with NUL instead of a newline and the path,
/// everything after the third tab, is raw.
std::unique_ptr<RankingWriter> make_tsv_writer(OutputFile& out, bool nul);

/// One JSON object a result: query, query_type ("text" or "combined"; left out where the query is a path or a row
/// number), rank, id, score, path, label (left out if there is none), text (true if the path is a text); of a part of a
/// picture picture (its path) and box (left, top, right, bottom); of results with a proof similarity, inliers,
/// verified, verification (the proof's score) and model (nine numbers, or null). What is not UTF-8 is base64 under
/// "query_b64", "path_b64", "label_b64", "picture_b64".
std::unique_ptr<RankingWriter> make_jsonl_writer(OutputFile& out);

/// `qid Q0 docid rank score tag` as trec_eval reads it; qid and docid are percent-encoded query and path. Throws
/// UsageError if `tag` is empty or holds a blank.
std::unique_ptr<RankingWriter> make_trec_writer(OutputFile& out, const std::string& tag);

}  // namespace cbir
