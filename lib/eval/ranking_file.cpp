#include <cbir/eval/ranking_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>

#include "lines.hpp"

namespace cbir {
namespace {

struct Result {
  std::uint64_t rank = 0;
  double score = 0;
  std::string name;
};

struct Line {
  std::string query;
  Result result;
};

bool is_trec(std::string_view line) {
  const auto fields = words_of(line);
  return fields.size() == 6 && fields[1] == "Q0";
}

/// Reads lines of one of the two formats.
class Parser {
 public:
  Parser(std::string_view text, const std::string& name)
      : name_(name), trec_(is_trec(text.substr(0, text.find('\n')))) {
    for (const std::string_view line : split(text, '\n')) {
      ++number_;
      if (!line.empty()) add(parse(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line));
    }
    if (queries_.empty()) throw MissingInput(fmt::format("{}: holds no ranking", display_path(name_)));
  }

  std::vector<RankedQuery> sorted() {
    std::vector<RankedQuery> ranking;
    for (Query& query : queries_) {
      std::ranges::sort(query.results, {}, &Result::rank);
      check_ranks(query);
      RankedQuery& ranked = ranking.emplace_back();
      ranked.query = std::move(query.name);
      for (Result& result : query.results) {
        ranked.results.push_back(std::move(result.name));
        ranked.scores.push_back(result.score);
      }
    }
    return ranking;
  }

 private:
  struct Query {
    std::string name;
    std::vector<Result> results;
  };

  [[noreturn]] void fail(std::string_view found) const {
    throw DamagedFile(fmt::format(
        "{}, line {}: {}; expected {}", display_path(name_), number_, found,
        trec_ ? "a TREC run: qid Q0 docid rank score tag" : "a ranking: query, rank, score and path between tabs"));
  }

  Line parse(std::string_view line) const {
    const auto fields = trec_ ? words_of(line) : split(line, '\t');
    const bool fits = trec_ ? fields.size() == 6 : fields.size() == 4 || fields.size() == 6;  // 6: of --verify
    if (!fits) fail(fmt::format("found {}", counted(fields.size(), "column")));
    Line parsed;
    const std::string_view rank = fields[trec_ ? 3 : 1], score = fields[trec_ ? 4 : 2];
    if (!parse_number(score, parsed.result.score) || !std::isfinite(parsed.result.score))
      fail(fmt::format("'{}' is no score", display_path(score)));
    if (!parse_number(rank, parsed.result.rank) || (parsed.result.rank == 0 && !trec_))
      fail(fmt::format("'{}' is no rank", display_path(rank)));
    parsed.query = trec_ ? percent_decode(fields[0]) : tsv_unescape(fields[0]);
    parsed.result.name = trec_ ? percent_decode(fields[2]) : tsv_unescape(fields[3]);
    return parsed;
  }

  void add(Line line) {
    const auto [found, fresh] = numbers_.try_emplace(line.query, queries_.size());
    if (fresh) queries_.push_back({line.query, {}});
    queries_[found->second].results.push_back(std::move(line.result));
  }

  void check_ranks(const Query& query) const {
    const std::uint64_t first = trec_ && query.results.front().rank == 0 ? 0 : 1;
    for (std::size_t i = 0; i < query.results.size(); ++i) {
      if (query.results[i].rank == first + i) continue;
      const bool twice = i > 0 && query.results[i].rank == query.results[i - 1].rank;
      throw DamagedFile(fmt::format("{}: rank {} of query {} {}; expected each rank from {} to {} once",
                                    display_path(name_), twice ? query.results[i].rank : first + i,
                                    display_path(query.name), twice ? "stands twice" : "is missing", first,
                                    first + query.results.size() - 1));
    }
  }

  const std::string& name_;
  bool trec_;
  std::size_t number_ = 0;
  std::vector<Query> queries_;
  std::unordered_map<std::string, std::size_t> numbers_;
};

}  // namespace

std::vector<RankedQuery> parse_ranking(std::string_view text, const std::string& name) {
  return Parser(text, name).sorted();
}

std::vector<RankedQuery> read_ranking(const std::string& path) {
  return parse_ranking(read_text(path), path == "-" ? "standard input" : path);
}

}  // namespace cbir
