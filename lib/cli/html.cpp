#include <cbir/cli/html.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <vector>

#include <cbir/base/hash.hpp>
#include <cbir/base/log.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/text.hpp>

#include "page.hpp"
#include "thumbnail.hpp"

namespace cbir {
namespace {

/// "12,345,678"
std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

/// The hash of the page's one script, as a Content-Security-Policy names it: no other script can run, whatever a file
/// name holds.
std::string script_hash() {
  const std::string digits = sha256(page::kScript);
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return base64_encode(bytes);
}

/// The file's own name, and on a line below it the folder, whose end matters more than its beginning.
std::string path_html(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;  // 0 if there is no slash
  const std::string file = fmt::format("<span class=\"name\">{}</span>", html_escape(path.substr(name)));
  if (name <= 1) return file;
  return file + fmt::format("<span class=\"folder\"><bdi>{}</bdi></span>", html_escape(path.substr(0, name - 1)));
}

constexpr std::size_t kLongText = 60;  // bytes; longer ones are set smaller
constexpr std::size_t kFewTerms = 4;   // of a combined query; more are shown smaller

constexpr std::string_view kBrokenPicture =
    R"(<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 5h16v14H4zM4 16l4.5-4.5 3 3L15 11l5 5M3 3l18 18"/></svg>)";
constexpr std::string_view kVector =
    R"(<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 4H5v16h3M16 4h3v16h-3M9.5 9h5M9.5 12h3M9.5 15h4"/></svg>)";

class HtmlWriter final : public RankingWriter {
 public:
  HtmlWriter(OutputFile& out, const PageFacts& facts, const ThumbnailOptions& thumbnails)
      : out_(out), facts_(facts), options_(thumbnails) {}

  void write(const Ranking& ranking) override {
    begin();
    ++queries_;
    results_ += ranking.results.size();
    const bool in_index = ranking.row && !ranking.picture.empty();
    const std::string query_file = in_index ? below_root(ranking.picture) : ranking.picture;
    prepare(ranking, query_file);
    out_.write(
        fmt::format("<section class=\"query\" id=\"q{0}\" tabindex=\"-1\" aria-labelledby=\"t{0}\">\n", queries_));
    write_query(ranking, query_file);
    if (ranking.results.empty()) {
      out_.write(facts_.min_score
                     ? fmt::format("<p class=\"nothing\">Nothing scores {} or more.</p>\n", *facts_.min_score)
                     : "<p class=\"nothing\">The index holds nothing else.</p>\n");
    } else {
      out_.write("<ol class=\"results\">\n");
      for (std::size_t i = 0; i < ranking.results.size(); ++i) write_card(ranking, i);
      out_.write("</ol>\n");
    }
    out_.write("</section>\n");
    fresh_.clear();
  }

  void finish() override {
    begin();
    out_.write(fmt::format(
        "</main>\n<footer><span>{} queries, {} results</span><span class=\"keys\"><kbd>j</kbd> <kbd>k</kbd> next, "
        "previous query · <kbd>Tab</kbd> into the results, arrow keys among them</span></footer>\n"
        "<script>{}</script>\n</body>\n</html>\n",
        grouped(queries_), grouped(results_), page::kScript));
    if (unreadable_ > 0)
      log(LogLevel::warning,
          fmt::format("{} of {} cannot be shown on the page; if they lie elsewhere now, --root says where", unreadable_,
                      counted(pictures_.size(), "picture")));
  }

 private:
  struct Picture {
    std::size_t number = 0;
    int width = 0, height = 0;
    std::string problem;
  };

  std::string below_root(const std::string& path) const {
    if (options_.root.empty()) return path;
    return options_.root + (options_.root.ends_with('/') || path.starts_with('/') ? "" : "/") + path;
  }

  void begin() {
    if (begun_) return;
    begun_ = true;
    const std::string name = html_escape(facts_.index);
    out_.write(fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
        "'unsafe-inline'; "
        "script-src 'sha256-{}'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"generator\" "
        "content=\"cbir\">\n"
        "<title>Similar pictures · {}</title>\n<link rel=\"icon\" "
        "href=\"data:,\">\n<style>\n{}</style>\n</head>\n<body>\n"
        "<a class=\"skip\" href=\"#q1\">To the first query</a>\n<header>\n<h1>Similar pictures</h1>\n<dl>\n",
        script_hash(), name, page::kStyle));
    const auto fact = [&](std::string_view term, const std::string& value) {
      out_.write(fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", term, value));
    };
    fact("Index", name);
    fact("Rows", grouped(facts_.rows));
    fact("Encoder", facts_.encoder.empty() ? "not named" : html_escape(facts_.encoder));
    fact("Metric", html_escape(facts_.metric));
    fact("Results a query", grouped(facts_.k));
    for (const std::string& text : facts_.templates) fact("Template", html_escape(text));
    if (facts_.min_score) fact("Least score", fmt::format("{}", *facts_.min_score));
    out_.write("</dl>\n</header>\n<main>\n");
  }

  /// Makes the thumbnails of pictures that the page does not hold yet.
  void prepare(const Ranking& ranking, const std::string& query_file) {
    std::vector<std::string> files;
    const auto want = [&](std::string file) {
      if (pictures_.try_emplace(file, Picture{pictures_.size() + 1, 0, 0, {}}).second) files.push_back(std::move(file));
    };
    if (!query_file.empty()) want(query_file);
    for (const RankedTerm& term : ranking.terms)
      if (!term.text) want(term.value);
    for (const RankedRow& row : ranking.results)
      if (!row.text) want(below_root(row.path));
    std::vector<Thumbnail> thumbnails(files.size());
    parallel_blocks(files.size(), 1,
                    [&](std::size_t i, std::size_t) { thumbnails[i] = make_thumbnail(files[i], options_); });
    for (std::size_t i = 0; i < files.size(); ++i) {
      Picture& picture = pictures_.at(files[i]);
      picture.width = thumbnails[i].width;
      picture.height = thumbnails[i].height;
      picture.problem = std::move(thumbnails[i].problem);
      if (picture.problem.empty()) fresh_.emplace(files[i], std::move(thumbnails[i].jpeg));
      else ++unreadable_;
    }
  }

  /// A picture where it is first shown is inlined; from then on it is referred to.
  void write_picture(const std::string& file, const std::string& alt) {
    const Picture& picture = pictures_.at(file);
    if (!picture.problem.empty()) {
      out_.write(fmt::format("<div class=\"unreadable\" role=\"img\" aria-label=\"{0}: {1}\">{2}<span>{1}</span></div>",
                             alt, html_escape(picture.problem), kBrokenPicture));
      return;
    }
    out_.write(fmt::format("<svg class=\"picture\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
                           picture.width, picture.height, alt));
    if (const auto jpeg = fresh_.find(file); jpeg != fresh_.end()) {
      out_.write(fmt::format("<image id=\"p{}\" width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/></svg>",
                             picture.number, picture.width, picture.height, base64_encode(as_text(jpeg->second))));
      fresh_.erase(jpeg);
    } else {
      out_.write(fmt::format("<use href=\"#p{}\"/></svg>", picture.number));
    }
  }

  /// A text in the place of a picture. `heading` is its id as a heading; empty: it is none.
  void write_words(const std::string& text, const std::string& heading) {
    const std::string_view size = text.size() > kLongText ? " long" : "";
    const std::string tag = heading.empty() ? "p" : "h2",
                      id = heading.empty() ? "" : fmt::format(" id=\"{}\"", heading);
    out_.write(fmt::format("<div class=\"words{0}\" title=\"{3}\"><{1}{2} dir=\"auto\">{3}</{1}></div>", size, tag, id,
                           html_escape(text)));
  }

  /// The parts of a combined query, each with its weight unless that is 1.
  void write_terms(const std::vector<RankedTerm>& terms) {
    out_.write(fmt::format("<ul class=\"terms{}\">\n", terms.size() > kFewTerms ? " many" : ""));
    for (const RankedTerm& term : terms) {
      out_.write("<li><div class=\"frame\">");
      if (term.text) write_words(term.value, "");
      else write_picture(term.value, "Picture asked with, " + html_escape(term.value));
      out_.write("</div>");
      if (term.weight != 1)
        out_.write(fmt::format("<span class=\"weight\"><span class=\"hidden\">weight </span>{}</span>", term.weight));
      out_.write("</li>\n");
    }
    out_.write("</ul>\n");
  }

  void write_query(const Ranking& ranking, const std::string& file) {
    const std::string heading = fmt::format("t{}", queries_);
    std::string name = path_html(ranking.query), kind;
    out_.write("<div class=\"asked\">\n");
    if (!ranking.terms.empty()) {
      write_terms(ranking.terms);
      name = html_escape(ranking.query);
      kind = fmt::format(", of {}", counted(ranking.terms.size(), "part"));
    } else {
      out_.write("<div class=\"frame\">");
      if (!file.empty()) write_picture(file, "Query picture " + html_escape(ranking.query));
      else if (ranking.text) write_words(ranking.query, heading);
      else out_.write(fmt::format("<div class=\"unreadable\">{}<span>a vector</span></div>", kVector));
      out_.write("</div>\n");
      if (file.empty()) name = "Vector " + html_escape(ranking.query);
    }
    if (ranking.row) kind = fmt::format(", row {}", *ranking.row);
    out_.write(fmt::format("<p class=\"number\"><a href=\"#q{0}\">Query {0}{1}</a></p>\n", queries_, kind));
    if (!ranking.text) out_.write(fmt::format("<h2 id=\"{}\">{}</h2>\n", heading, name));
    if (ranking.label) {
      const auto same = std::count_if(ranking.results.begin(), ranking.results.end(),
                                      [&](const RankedRow& row) { return row.label == ranking.label; });
      out_.write(fmt::format("<p class=\"note\">{} of {} share its label, <b>{}</b></p>\n", same,
                             ranking.results.size(), html_escape(*ranking.label)));
    }
    out_.write("</div>\n");
  }

  void write_card(const Ranking& ranking, std::size_t i) {
    const RankedRow& row = ranking.results[i];
    const std::string name = html_escape(row.path);
    // One card of a list is a stop of the Tab key; the script moves it.
    out_.write(fmt::format("<li class=\"card\" tabindex=\"{}\">\n<div class=\"frame\">", i == 0 ? 0 : -1));
    if (row.text) write_words(row.path, "");
    else write_picture(below_root(row.path), fmt::format("Result {}, {}", i + 1, name));
    out_.write(fmt::format(
        "</div>\n<div class=\"about\">\n<div class=\"line\"><span class=\"rank\"><span class=\"hidden\">Rank "
        "</span>{}</span><span class=\"score\" title=\"score {}\">{:.4f}</span></div>\n",
        i + 1, format_score(row.score), row.score));
    if (facts_.metric == "cosine")
      out_.write(fmt::format("<div class=\"bar\"><i style=\"width:{:.1f}%\"></i></div>\n",
                             100 * std::clamp(row.score, 0.0F, 1.0F)));
    if (!row.text) out_.write(fmt::format("<div class=\"path\" title=\"{}\">{}</div>\n", name, path_html(row.path)));
    if (row.label && !row.label->empty()) {
      const bool same = ranking.label && *ranking.label == *row.label;
      out_.write(fmt::format("<div class=\"label{0}\" title=\"label {1}{2}\">{3}{1}</div>\n", same ? " same" : "",
                             html_escape(*row.label), same ? ", the same as the query's" : "", same ? "✓ " : ""));
    }
    out_.write("</div>\n</li>\n");
  }

  OutputFile& out_;
  PageFacts facts_;
  ThumbnailOptions options_;
  std::unordered_map<std::string, Picture> pictures_;              ///< by file, all that the page shows
  std::unordered_map<std::string, std::vector<std::byte>> fresh_;  ///< JPEGs not written yet
  std::uint64_t queries_ = 0, results_ = 0, unreadable_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<RankingWriter> make_html_writer(OutputFile& out, const PageFacts& facts,
                                                const ThumbnailOptions& thumbnails) {
  return std::make_unique<HtmlWriter>(out, facts, thumbnails);
}

}  // namespace cbir
