#include <cbir/cli/ranking.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

#include "json_field.hpp"

namespace cbir {
namespace {

class TsvWriter final : public RankingWriter {
 public:
  TsvWriter(OutputFile& out, bool nul) : out_(out), nul_(nul) {}

  void write(const Ranking& ranking) override {
    // The query stays escaped with -0 too: a raw tab in it would hide where the path begins.
    const std::string query = tsv_escape(ranking.query);
    std::size_t rank = 0;
    for (const RankedRow& row : ranking.results) {
      line_.clear();
      fmt::format_to(std::back_inserter(line_), "{}\t{}\t{}\t", query, ++rank, format_score(row.score));
      line_ += nul_ ? row.path : tsv_escape(row.path);
      if (row.proof)
        fmt::format_to(std::back_inserter(line_), "\t{}\t{}", row.proof->inliers,
                       format_transform(row.proof->transform));
      line_ += nul_ ? '\0' : '\n';
      out_.write(line_);
    }
  }

  void end_answer() override {
    out_.write(std::string_view(nul_ ? "\0" : "\n", 1));
    out_.flush();
  }

 private:
  OutputFile& out_;
  bool nul_;
  std::string line_;
};

class JsonlWriter final : public RankingWriter {
 public:
  explicit JsonlWriter(OutputFile& out) : out_(out) {}

  void write(const Ranking& ranking) override {
    std::string query = json_field("query", ranking.query);
    if (ranking.text) query += ",\"query_type\":\"text\"";
    if (!ranking.terms.empty()) query += ",\"query_type\":\"combined\"";
    std::size_t rank = 0;
    for (const RankedRow& row : ranking.results) {
      line_.clear();
      fmt::format_to(std::back_inserter(line_), "{{{},\"rank\":{},\"id\":{},\"score\":{},{}", query, ++rank, row.id,
                     format_score(row.score), json_field("path", row.path));
      if (row.label) line_ += ',' + json_field("label", *row.label);
      if (row.text) line_ += ",\"text\":true";
      if (row.proof) append_proof(*row.proof);
      if (!row.picture.empty()) line_ += ',' + json_field("picture", row.picture);
      if (row.box) fmt::format_to(std::back_inserter(line_), ",\"box\":[{}]", fmt::join(*row.box, ","));
      line_ += "}\n";
      out_.write(line_);
    }
  }

  void write_failure(const std::string& query, const std::string& reason) override {
    out_.write(fmt::format("{{{},{}}}\n", json_field("query", query), json_field("error", reason)));
  }

  void end_answer() override {
    out_.write("\n");
    out_.flush();
  }

 private:
  void append_proof(const RankedProof& proof) {
    const std::string transform = proof.transform ? '[' + format_transform(proof.transform) + ']' : "null";
    fmt::format_to(std::back_inserter(line_),
                   ",\"similarity\":{},\"inliers\":{},\"verified\":{},\"verification\":{:.3f},\"model\":{}",
                   format_score(proof.similarity), proof.inliers, proof.verified, proof.score, transform);
  }

  OutputFile& out_;
  std::string line_;
};

class TrecWriter final : public RankingWriter {
 public:
  TrecWriter(OutputFile& out, const std::string& tag) : out_(out), tag_(tag) {}

  void write(const Ranking& ranking) override {
    const std::string query = percent_encode(ranking.query);
    std::size_t rank = 0;
    for (const RankedRow& row : ranking.results) {
      line_.clear();
      fmt::format_to(std::back_inserter(line_), "{} Q0 {} {} {} {}\n", query, percent_encode(row.path), ++rank,
                     format_score(row.score), tag_);
      out_.write(line_);
    }
  }

  void end_answer() override {
    out_.write("\n");
    out_.flush();
  }

 private:
  OutputFile& out_;
  std::string tag_, line_;
};

}  // namespace

RankingFormat parse_ranking_format(std::string_view name) {
  if (name == "tsv") return RankingFormat::tsv;
  if (name == "jsonl") return RankingFormat::jsonl;
  if (name == "trec") return RankingFormat::trec;
  if (name == "html") return RankingFormat::html;
  throw UsageError(fmt::format("--format {}: expected tsv, jsonl, trec or html", display_path(name)));
}

std::string format_score(float score) {
  std::string text = fmt::format("{:.6f}", score);
  if (text == "-0.000000") text.erase(0, 1);
  return text;
}

std::string format_transform(const std::optional<std::array<double, 9>>& transform) {
  if (!transform) return "-";
  std::string text;
  for (const double x : *transform) text += fmt::format("{}{:.9g}", text.empty() ? "" : ",", x == 0 ? 0.0 : x);
  return text;
}

std::unique_ptr<RankingWriter> make_tsv_writer(OutputFile& out, bool nul) {
  return std::make_unique<TsvWriter>(out, nul);
}

std::unique_ptr<RankingWriter> make_jsonl_writer(OutputFile& out) { return std::make_unique<JsonlWriter>(out); }

std::unique_ptr<RankingWriter> make_trec_writer(OutputFile& out, const std::string& tag) {
  const auto blank = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
  if (tag.empty() || std::any_of(tag.begin(), tag.end(), blank))
    throw UsageError(fmt::format("--tag '{}': expected a word without blanks", display_path(tag)));
  return std::make_unique<TrecWriter>(out, tag);
}

}  // namespace cbir
