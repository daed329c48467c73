#include "report_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cbir/cli/version.hpp>
#include <cmath>
#include <numeric>
#include <optional>

#include <cbir/base/text.hpp>

#include "page.hpp"

namespace cbir {
namespace {

struct Meaning {
  std::string_view name, at_cutoff;  ///< of "name", and of "name@K"
  std::string_view words, of_one;    ///< {}: K; and if that is 1
};

constexpr std::array<Meaning, 9> kMeanings = {{
    {"map", "", "average precision", ""},
    {"mrr", "", "1 / rank of the first relevant item", ""},
    {"rank", "", "rank of the first relevant item: the lower, the better", ""},
    {"r_precision", "", "precision of the first R, R items being relevant", ""},
    {"", "p", "share of the first {} that is relevant", "whether the first is relevant"},
    {"", "mp", "share of the first {} that is relevant", "whether the first is relevant"},
    {"", "r", "share of what is relevant that is among the first {}", "share of what is relevant that is first"},
    {"", "hit", "whether any of the first {} is relevant", "whether the first is relevant"},
    {"", "ndcg", "gain of the first {}, discounted by rank, over the highest possible",
     "whether the first is relevant"},
}};

std::string common_prefix(const std::string& a, const std::string& b) {
  return a.substr(0, static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin()));
}

}  // namespace

std::string measure_meaning(std::string_view measure) {
  if (measure == "map@r") return "average precision of the first R, R items being relevant";
  const std::size_t at = measure.find('@');
  const std::string_view name = measure.substr(0, at);
  std::uint64_t cutoff = 0;
  const bool cut = at != std::string_view::npos && parse_number(measure.substr(at + 1), cutoff);
  for (const Meaning& meaning : kMeanings) {
    if (cut && name == meaning.at_cutoff)
      return cutoff == 1 ? std::string(meaning.of_one) : fmt::format(fmt::runtime(meaning.words), cutoff);
    if (!cut && measure == meaning.name) return std::string(meaning.words);
  }
  // Of a part of the queries, or of what is relevant: "t2i_hit@1", "map_easy". Nothing longer is ours.
  if (measure.size() > 40) return "";
  const auto part = [](std::string_view rest, std::string_view words) {
    const std::string meaning = measure_meaning(rest);
    return meaning.empty() ? "" : fmt::format("{}, {}", meaning, words);
  };
  if (measure.starts_with("t2i_")) return part(measure.substr(4), "text to image");
  if (measure.starts_with("i2t_")) return part(measure.substr(4), "image to text");
  const std::size_t end = measure.rfind('_');
  return end == std::string_view::npos ? "" : part(measure.substr(0, end), html_escape(measure.substr(end + 1)));
}

std::string value_text(double value) {
  return std::isnan(value) ? "–" : fmt::format("{:.4f}", value == 0 ? 0.0 : value);
}

std::string difference_text(double value) {
  if (std::isnan(value)) return "–";
  const std::string text = fmt::format("{:+.4f}", value);
  return text == "-0.0000" || text == "+0.0000" ? "0.0000" : text;
}

Names::Names(const std::vector<const Scores*>& all) {
  std::optional<std::string> common;
  const auto narrow = [&](const std::string& name) { common = common ? common_prefix(*common, name) : name; };
  for (const Scores* scores : all) {
    for (const QueryScores& query : scores->queries) narrow(query.query);
    std::ranges::for_each(scores->items, narrow);
  }
  if (common) folder_ = common->substr(0, common->rfind('/') + 1);
}

std::string Names::within(const std::string& name) const {
  return name.starts_with(folder_) ? name.substr(folder_.size()) : name;
}

std::string begin_table(std::string_view id, std::string_view caption, const std::vector<Column>& columns,
                        std::string_view kind) {
  std::string html = fmt::format(
      "<div class=\"scroll {2}\" role=\"region\" aria-label=\"{1}\" tabindex=\"0\"><table id=\"{0}\" class=\"{2}\">"
      "<caption class=\"hidden\">{1}</caption><thead><tr>",
      id, caption, kind);
  for (const Column& column : columns) {
    html += "<th scope=\"col\"";
    if (column.kind == Column::Kind::text || column.kind == Column::Kind::words) html += " class=\"text\"";
    if (column.kind == Column::Kind::text || column.kind == Column::Kind::number)
      html += fmt::format(" data-sort=\"{}\"", column.kind == Column::Kind::number ? "number" : "text");
    if (!column.sorted.empty()) html += fmt::format(" aria-sort=\"{}\"", column.sorted);
    if (!column.title.empty()) html += fmt::format(" title=\"{}\"", column.title);
    html += fmt::format(">{}</th>", column.name);
  }
  return html + "</tr></thead><tbody>\n";
}

std::string begin_section(std::string_view id, std::string_view heading) {
  return fmt::format("<section class=\"part\" id=\"{0}\" aria-labelledby=\"{0}-h\">\n<h2 id=\"{0}-h\">{1}</h2>\n", id,
                     heading);
}

std::string report_head(std::string_view kicker, const std::string& title, const std::string& facts,
                        const std::vector<SectionLink>& sections) {
  std::string html = page_head(title, std::string(page::kStyle) + page::kReportStyle, page::kReportScript);
  html += fmt::format(
      "<a class=\"skip\" href=\"#content\">To the scores</a>\n<header>\n<p class=\"kicker\">{}</p>\n<h1>{}</h1>\n"
      "<dl>\n{}</dl>\n<nav aria-label=\"Sections\"><ul>",
      kicker, html_escape(title), facts);
  for (const SectionLink& section : sections)
    html += fmt::format("<li><a href=\"#{}\">{}</a>", section.id, section.name);
  return html + "</ul></nav>\n</header>\n<main id=\"content\" tabindex=\"-1\">\n";
}

std::string report_end(const std::string& facts) {
  return fmt::format("</main>\n<footer><span>{}</span><span>cbir {}; formulas are in cbir-eval(1)</span></footer>\n{}",
                     facts, kVersion, page_end(page::kReportScript));
}

std::string remarks_html(const std::vector<std::string>& remarks) {
  if (remarks.empty()) return "";
  std::string html = "<ul class=\"remarks\">\n";
  for (const std::string& remark : remarks) html += fmt::format("<li>{}\n", html_escape(remark));
  return html + "</ul>\n";
}

std::string mark_strip(const QueryScores& query, std::size_t count) {
  count = std::min(count, query.top.size());
  if (count == 0) return "";
  std::string marks;
  std::size_t relevant = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Mark mark = query.top[i].mark;
    relevant += mark == Mark::relevant;
    marks += mark == Mark::relevant ? "●" : mark == Mark::junk ? "–" : "○";
  }
  return fmt::format("<span class=\"strip\" role=\"img\" aria-label=\"{} of {} relevant\">{}</span>", relevant, count,
                     marks);
}

std::string group_html(const Names& names, const QueryScores& query) {
  if (query.group.empty() || names.within(query.query).starts_with(query.group + "/")) return "";
  return fmt::format("<span class=\"group\">{}</span>", html_escape(query.group));
}

std::string query_file(PagePictures& pictures, const QueryScores& query) {
  if (query.texts == Texts::query) return "";
  return pictures.below_root(query.picture.empty() ? query.query : query.picture);
}

std::string item_file(PagePictures& pictures, const QueryScores& query, const std::string& item) {
  return query.texts == Texts::items ? "" : pictures.below_root(item);
}

std::string query_picture(PagePictures& pictures, const QueryScores& query) {
  const std::string file = query_file(pictures, query);
  return file.empty() ? words_html(query.query, "") : pictures.html(file, "Query picture " + html_escape(query.query));
}

std::string item_picture(PagePictures& pictures, const QueryScores& query, const std::string& item,
                         const std::string& what) {
  const std::string file = item_file(pictures, query, item);
  return file.empty() ? words_html(item, "")
                      : pictures.html(file, (what.empty() ? "" : what + ", ") + html_escape(item));
}

std::string_view mark_class(Mark mark) {
  return mark == Mark::relevant ? "relevant" : mark == Mark::junk ? "junk" : "irrelevant";
}

std::string mark_tag(Mark mark, bool missed) {
  if (missed) return "<span class=\"mark missed\"><span aria-hidden=\"true\">↓ </span>missed</span>";
  const std::string_view sign = mark == Mark::relevant ? "✓" : mark == Mark::junk ? "–" : "✗";
  return fmt::format("<span class=\"mark {0}\"><span aria-hidden=\"true\">{1} </span>{2}</span>", mark_class(mark),
                     sign, mark == Mark::irrelevant ? "not relevant" : mark_class(mark));
}

std::vector<std::size_t> worst_first(const Scores& scores) {
  std::vector<std::size_t> order(scores.queries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (scores.measures.empty()) return order;
  const auto key = [&](std::size_t query) {
    const double value = scores.queries[query].values[0];
    return std::isnan(value) ? INFINITY : value;
  };
  std::ranges::stable_sort(order, {}, key);
  return order;
}

}  // namespace cbir
