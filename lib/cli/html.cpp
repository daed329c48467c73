#include <cbir/cli/html.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include <cbir/base/text.hpp>

#include "overlay.hpp"
#include "picture_page.hpp"

namespace cbir {
namespace {

constexpr std::size_t kFewTerms = 4;  // of a combined query; more are shown smaller

constexpr std::string_view kVector =
    R"(<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 4H5v16h3M16 4h3v16h-3M9.5 9h5M9.5 12h3M9.5 15h4"/></svg>)";

class HtmlWriter final : public RankingWriter {
 public:
  HtmlWriter(OutputFile& out, const PageFacts& facts, const ThumbnailOptions& thumbnails)
      : page_(out, thumbnails), facts_(facts) {}

  void write(const Ranking& ranking) override {
    begin();
    ++queries_;
    results_ += ranking.results.size();
    const bool in_index = ranking.row && !ranking.picture.empty();
    const std::string query_file = in_index ? page_.below_root(ranking.picture) : ranking.picture;
    prepare(ranking, query_file);
    page_.write(
        fmt::format("<section class=\"query\" id=\"q{0}\" tabindex=\"-1\" aria-labelledby=\"t{0}\">\n", queries_));
    write_query(ranking, query_file);
    if (ranking.results.empty()) {
      page_.write(facts_.min_score
                      ? fmt::format("<p class=\"nothing\">Nothing scores {} or more.</p>\n", *facts_.min_score)
                      : "<p class=\"nothing\">The index holds nothing else.</p>\n");
    } else {
      page_.write("<ol class=\"results\">\n");
      for (std::size_t i = 0; i < ranking.results.size(); ++i) write_card(ranking, i);
      page_.write("</ol>\n");
    }
    page_.write("</section>\n");
    page_.drop_unshown();
  }

  void finish() override {
    begin();
    page_.finish(
        fmt::format("{} queries, {} results", grouped(queries_), grouped(results_)),
        "<kbd>j</kbd> <kbd>k</kbd> next, previous query · <kbd>Tab</kbd> into the results, arrow keys among them");
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    const std::string name = html_escape(facts_.index);
    PicturePage::Facts facts = {
        {"Index", name},
        {"Rows", grouped(facts_.rows)},
        {"Encoder", facts_.encoder.empty() ? "not named" : html_escape(facts_.encoder)},
        {"Metric", html_escape(facts_.metric)},
        {"Results a query", grouped(facts_.k)},
    };
    for (const std::string& text : facts_.templates) facts.emplace_back("Template", html_escape(text));
    if (!facts_.verified_by.empty()) facts.emplace_back("Verified by", html_escape(facts_.verified_by));
    if (facts_.min_score) facts.emplace_back("Least score", fmt::format("{}", *facts_.min_score));
    page_.begin("Similar pictures", facts_.index, facts, "query", "q1");
  }

  std::string file_of(const RankedRow& row) { return page_.below_root(row.picture.empty() ? row.path : row.picture); }

  /// Where in its picture the row's part lies, as far as that is known.
  static std::optional<PagePictures::Part> part_of(const RankedRow& row) {
    if (!row.box || row.width <= 0 || row.height <= 0) return {};
    const RowBox& box = *row.box;
    const double width = row.width, height = row.height;
    return PagePictures::Part{box[0] / width, box[1] / height, box[2] / width, box[3] / height};
  }

  void prepare(const Ranking& ranking, const std::string& query_file) {
    std::vector<std::string> files;
    if (!query_file.empty()) files.push_back(query_file);
    for (const RankedTerm& term : ranking.terms)
      if (!term.text) files.push_back(term.value);
    for (const RankedRow& row : ranking.results)
      if (!row.text) files.push_back(file_of(row));
    page_.prepare(files);
  }

  /// The parts of a combined query, each with its weight unless that is 1.
  void write_terms(const std::vector<RankedTerm>& terms) {
    page_.write(fmt::format("<ul class=\"terms{}\">\n", terms.size() > kFewTerms ? " many" : ""));
    for (const RankedTerm& term : terms) {
      page_.write("<li><div class=\"frame\">");
      if (term.text) page_.write_words(term.value, "");
      else page_.write_picture(term.value, "Picture asked with, " + html_escape(term.value));
      page_.write("</div>");
      if (term.weight != 1)
        page_.write(fmt::format("<span class=\"weight\"><span class=\"hidden\">weight </span>{}</span>", term.weight));
      page_.write("</li>\n");
    }
    page_.write("</ul>\n");
  }

  void write_query(const Ranking& ranking, const std::string& file) {
    const std::string heading = fmt::format("t{}", queries_);
    std::string name = path_html(ranking.query), kind;
    page_.write("<div class=\"asked\">\n");
    if (!ranking.terms.empty()) {
      write_terms(ranking.terms);
      name = html_escape(ranking.query);
      kind = fmt::format(", of {}", counted(ranking.terms.size(), "part"));
    } else {
      page_.write("<div class=\"frame\">");
      if (!file.empty()) page_.write_picture(file, "Query picture " + html_escape(ranking.query));
      else if (ranking.text) page_.write_words(ranking.query, heading);
      else page_.write(fmt::format("<div class=\"unreadable\">{}<span>a vector</span></div>", kVector));
      page_.write("</div>\n");
      if (file.empty()) name = "Vector " + html_escape(ranking.query);
    }
    if (ranking.row) kind = fmt::format(", row {}", *ranking.row);
    page_.write(fmt::format("<p class=\"number\"><a href=\"#q{0}\">Query {0}{1}</a></p>\n", queries_, kind));
    if (!ranking.text) page_.write(fmt::format("<h2 id=\"{}\">{}</h2>\n", heading, name));
    if (ranking.label) {
      const auto same = std::count_if(ranking.results.begin(), ranking.results.end(),
                                      [&](const RankedRow& row) { return row.label == ranking.label; });
      page_.write(fmt::format("<p class=\"note\">{} of {} share its label, <b>{}</b></p>\n", same,
                              ranking.results.size(), html_escape(*ranking.label)));
    }
    page_.write("</div>\n");
  }

  void write_card(const Ranking& ranking, std::size_t i) {
    const RankedRow& row = ranking.results[i];
    const std::string name = html_escape(row.path);
    // One card of a list is a stop of the Tab key; the script moves it.
    page_.write(fmt::format("<li class=\"card\" tabindex=\"{}\">\n<div class=\"frame\">", i == 0 ? 0 : -1));
    if (row.text) page_.write_words(row.path, "");
    else page_.write_picture(file_of(row), fmt::format("Result {}, {}", i + 1, name), part_of(row));
    if (row.proof && row.proof->verified) write_overlay(row);
    page_.write(fmt::format(
        "</div>\n<div class=\"about\">\n<div class=\"line\"><span class=\"rank\"><span class=\"hidden\">Rank "
        "</span>{}</span><span class=\"score\" title=\"score {}\">{:.4f}</span></div>\n",
        i + 1, format_score(row.score), row.score));
    if (facts_.metric == "cosine")
      page_.write(fmt::format("<div class=\"bar\"><i style=\"width:{:.1f}%\"></i></div>\n",
                              100 * std::clamp(row.proof ? row.proof->similarity : row.score, 0.0F, 1.0F)));
    if (row.proof) write_proof(*row.proof);
    if (!row.text) page_.write(fmt::format("<div class=\"path\" title=\"{}\">{}</div>\n", name, path_html(row.path)));
    if (row.label && !row.label->empty()) {
      const bool same = ranking.label && *ranking.label == *row.label;
      page_.write(fmt::format("<div class=\"label{0}\" title=\"label {1}{2}\">{3}{1}</div>\n", same ? " same" : "",
                              html_escape(*row.label), same ? ", the same as the query's" : "", same ? "✓ " : ""));
    }
    page_.write("</div>\n</li>\n");
  }

  /// Where the query's picture lies in the result's, and the points that say so.
  void write_overlay(const RankedRow& row) {
    const RankedProof& proof = *row.proof;
    const auto [width, height] = page_.picture_size(file_of(row));
    if (width == 0 || proof.size[0] == 0 || proof.size[1] == 0) return;
    const double x = static_cast<double>(width) / proof.size[0], y = static_cast<double>(height) / proof.size[1];
    std::string drawn;
    if (proof.flat && proof.transform) {
      for (const OverlayPoint& corner : outline(*proof.transform, proof.query_size[0], proof.query_size[1]))
        drawn += fmt::format("{}{:.1f},{:.1f}", drawn.empty() ? "" : " ", corner.x * x, corner.y * y);
      if (!drawn.empty()) drawn = fmt::format("<polygon class=\"outline\" points=\"{}\"/>", drawn);
    }
    drawn += "<g class=\"dots\">";
    for (const auto& [at_x, at_y] : proof.points)
      drawn += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.6\"/>", at_x * x, at_y * y);
    page_.write(fmt::format("<svg class=\"overlay\" viewBox=\"0 0 {} {}\" aria-hidden=\"true\">{}</g></svg>", width,
                            height, drawn));
  }

  void write_proof(const RankedProof& proof) {
    if (!proof.transform) return;
    page_.write(fmt::format(
        "<div class=\"label proof{}\" title=\"{}similarity {}, score of the keypoints {:.1f}\">{}{}</div>\n",
        proof.verified ? " same" : "", proof.verified ? "the same thing; " : "", format_score(proof.similarity),
        proof.score, proof.verified ? "✓ " : "", counted(proof.inliers, "inlier")));
  }

  PicturePage page_;
  PageFacts facts_;
  std::uint64_t queries_ = 0, results_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<RankingWriter> make_html_writer(OutputFile& out, const PageFacts& facts,
                                                const ThumbnailOptions& thumbnails) {
  return std::make_unique<HtmlWriter>(out, facts, thumbnails);
}

}  // namespace cbir
