#include "report_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include <cbir/base/error.hpp>
#include <cbir/base/text.hpp>

namespace cbir {
namespace {

constexpr std::size_t kOpen = 3;    // of the first, whose rankings are seen at once
constexpr std::size_t kStrip = 20;  // marks beside a name

/// The query of a name, or of a name that ends in it.
std::size_t find_query(const Scores& scores, const std::string& name) {
  auto found = std::ranges::find(scores.queries, name, &QueryScores::query);
  if (found == scores.queries.end())
    found = std::ranges::find_if(scores.queries,
                                 [&](const QueryScores& query) { return query.query.ends_with("/" + name); });
  if (found != scores.queries.end()) return static_cast<std::size_t>(found - scores.queries.begin());
  throw UsageError(fmt::format("no query is named {}; there are {}, the first is {}", display_path(name),
                               scores.queries.size(),
                               scores.queries.empty() ? "none" : display_path(scores.queries.front().query)));
}

class Shown {
 public:
  Shown(const Scores& scores, const Names& names, PagePictures& pictures, const ReportOptions& options)
      : scores_(scores), names_(names), pictures_(pictures), options_(options) {}

  std::span<const JudgedItem> top(const QueryScores& query) const {
    return std::span(query.top).first(std::min(query.top.size(), options_.results));
  }
  std::span<const JudgedItem> missed(const QueryScores& query) const {
    return std::span(query.missed).first(std::min(query.missed.size(), options_.results / 2));
  }

  const std::string& name(const JudgedItem& item) const { return scores_.items[item.item]; }

  std::string html(const QueryScores& query, std::size_t number, bool open) {
    const std::string anchor = ShownQueries::anchor(number);
    std::string html = fmt::format(
        "<details class=\"shown\"{}>\n<summary><h3>{}</h3><span class=\"value\">{} <b>{}</b></span>{}{}</summary>\n"
        "<div class=\"query\" id=\"{}\" tabindex=\"-1\">\n<div class=\"asked\">\n<div class=\"frame\">{}</div>\n",
        open ? " open" : "", names_.html(query.query), html_escape(scores_.measures[0]), value_text(query.values[0]),
        group_html(names_, query), mark_strip(query, kStrip), anchor, query_picture(pictures_, query));
    html += values(query) + "</div>\n<div>\n";
    html += "<h4>First of the ranking</h4>\n";
    if (query.top.empty()) html += "<p class=\"nothing\">The ranking is empty.</p>\n";
    else html += cards(query, top(query), false);
    if (query.top.size() > top(query).size())
      html += fmt::format("<p class=\"note\">The {} after these: {}</p>\n", query.top.size() - top(query).size(),
                          rest_strip(query));
    if (!query.missed.empty())
      html += fmt::format("<h4>Relevant, but not among the first {}</h4>\n", query.top.size()) +
              cards(query, missed(query), true);
    return html + "</div>\n</div>\n</details>\n";
  }

 private:
  std::string values(const QueryScores& query) const {
    std::string html = "<dl class=\"values\">\n" + fact_html("relevant items", grouped(query.relevant));
    for (std::size_t m = 0; m < scores_.measures.size(); ++m)
      if (!std::isnan(query.values[m]))
        html += fact_html(html_escape(scores_.measures[m]), value_text(query.values[m]));
    return html + "</dl>\n";
  }

  std::string rest_strip(const QueryScores& query) const {
    QueryScores rest;
    rest.top.assign(query.top.begin() + static_cast<std::ptrdiff_t>(top(query).size()), query.top.end());
    return mark_strip(rest, rest.top.size());
  }

  std::string cards(const QueryScores& query, std::span<const JudgedItem> items, bool are_missed) {
    std::string html = "<ol class=\"results\">\n";
    for (const JudgedItem& item : items) html += card(query, item, are_missed);
    return html + "</ol>\n";
  }

  std::string card(const QueryScores& query, const JudgedItem& item, bool is_missed) {
    const std::string full = html_escape(name(item));
    const bool ranked = item.rank != JudgedItem::kUnranked;
    return fmt::format(
        "<li class=\"card {}\">\n<div class=\"frame\">{}</div>\n<div class=\"about\"><div class=\"line\">{}{}</div>{}"
        "<div class=\"path\" title=\"{}\">{}</div></div>\n</li>\n",
        is_missed ? "missed" : mark_class(item.mark),
        item_picture(pictures_, query, name(item), ranked ? fmt::format("Rank {}", item.rank) : ""),
        ranked ? fmt::format("<span class=\"rank\"><span class=\"hidden\">Rank </span>{}</span>", grouped(item.rank))
               : "<span class=\"rank none\">not ranked</span>",
        ranked && std::isfinite(item.score) ? fmt::format("<span class=\"score\">{:.4f}</span>", item.score) : "",
        mark_tag(item.mark, is_missed), full, names_.html(name(item)));
  }

  const Scores& scores_;
  const Names& names_;
  PagePictures& pictures_;
  const ReportOptions& options_;
};

}  // namespace

std::uint64_t item_bytes(const std::string& name) { return 500 + 5 * html_escape(name).size(); }

std::vector<std::size_t> ShownQueries::all() const {
  std::vector<std::size_t> result = wanted;
  result.insert(result.end(), worst.begin(), worst.end());
  result.insert(result.end(), best.begin(), best.end());
  return result;
}

ShownQueries choose_shown(const Scores& scores, const std::vector<std::size_t>& order, const ReportOptions& options) {
  ShownQueries shown;
  for (const std::string& name : options.queries)
    if (const std::size_t query = find_query(scores, name); std::ranges::count(shown.wanted, query) == 0)
      shown.wanted.push_back(query);
  std::vector<std::size_t> others;
  if (!scores.measures.empty())
    std::ranges::copy_if(order, std::back_inserter(others), [&](std::size_t query) {
      return !std::isnan(scores.queries[query].values[0]) && std::ranges::count(shown.wanted, query) == 0;
    });
  const std::size_t worst = std::min(options.shown, others.size());
  const std::size_t best = std::min(options.shown / 4, others.size() - worst);
  shown.worst.assign(others.begin(), others.begin() + static_cast<std::ptrdiff_t>(worst));
  shown.best.assign(others.rbegin(), others.rbegin() + static_cast<std::ptrdiff_t>(best));
  return shown;
}

std::string shown_html(const Scores& scores, const ShownQueries& shown, const Names& names, PagePictures& pictures,
                       const ReportOptions& options, std::uint64_t bytes) {
  Shown writer(scores, names, pictures, options);
  std::vector<std::string> files;
  std::uint64_t markup = 0;
  const auto want = [&](const std::string& file, const std::string& name) {
    if (!file.empty()) files.push_back(file);
    markup += item_bytes(name);
  };
  for (const std::size_t position : shown.all()) {
    const QueryScores& query = scores.queries[position];
    want(query_file(pictures, query), query.query);
    markup += 2000;  // its values
    for (const auto& items : {writer.top(query), writer.missed(query)})
      for (const JudgedItem& item : items) want(item_file(pictures, query, writer.name(item)), writer.name(item));
  }
  pictures.add_within(files, bytes > markup ? bytes - markup : 0);

  const std::string legend =
      fmt::format("<p class=\"note\">By {}. In each ranking {} {} {}; {} are relevant items further down.</p>\n",
                  html_escape(scores.measures[0]), mark_tag(Mark::relevant, false), mark_tag(Mark::irrelevant, false),
                  mark_tag(Mark::junk, false) + ", which counts neither way", mark_tag(Mark::relevant, true));
  std::size_t number = 0;
  std::string html;
  const auto section = [&](std::string_view id, std::string_view heading, const std::vector<std::size_t>& queries) {
    if (queries.empty()) return;
    html += begin_section(id, heading) + (number == 0 ? legend : "");
    for (const std::size_t query : queries) {
      html += writer.html(scores.queries[query], number, number < kOpen);
      ++number;
    }
    html += "</section>\n";
  };
  section("wanted", "Queries asked for", shown.wanted);
  section("worst", "The worst queries", shown.worst);
  section("best", "Some of the best", shown.best);
  return html;
}

}  // namespace cbir
