#include <cbir/cli/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <cbir/base/text.hpp>

#include "charts.hpp"
#include "report_queries.hpp"

namespace cbir {
namespace {

constexpr std::size_t kStrip = 10;         // marks in the table of queries
constexpr std::size_t kMostGroups = 2000;  // in their table, the worst
constexpr std::uint64_t kTableShare = 2;   // of the page, at most 1 / this is the table of queries
constexpr std::size_t kCurvePoints = 101;

/// "rows_unlabelled" as people write it.
std::string in_words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  return name;
}

/// A mean between 0 and 1, and its interval, as a bar.
std::string meter(double value, const Interval& interval) {
  if (!(value >= 0 && value <= 1)) return "";
  std::string html =
      fmt::format("<div class=\"meter\" aria-hidden=\"true\"><i style=\"width:{:.2f}%\"></i>", 100 * value);
  if (interval.low >= 0 && interval.high <= 1)
    html += fmt::format("<b style=\"left:{:.2f}%;width:{:.2f}%\"></b>", 100 * interval.low,
                        100 * (interval.high - interval.low));
  return html + "</div>";
}

class Report {
 public:
  Report(const Scores& scores, const ReportOptions& options)
      : scores_(scores),
        options_(options),
        names_({&scores}),
        order_(worst_first(scores)),
        shown_(choose_shown(scores, order_, options)),
        has_groups_(!scores.group_kind.empty() && std::ranges::any_of(scores.queries, &has_group)),
        has_rankings_(!scores.measures.empty() && std::ranges::any_of(scores.queries, &has_ranking)) {}

  std::string html() {
    std::string html = head() + scores_html() + charts_html() + (has_groups_ ? groups_html() : "");
    // Made before the rankings, which have what room is left.
    const std::string tail = queries_html() + report_end(fmt::format("{} queries", grouped(scores_.queries.size())));
    PagePictures pictures(options_.thumbnails);
    html += rankings_html(pictures, html.size() + tail.size());
    pictures.warn();
    return html + tail;
  }

 private:
  static bool has_group(const QueryScores& query) { return !query.group.empty(); }
  static bool has_ranking(const QueryScores& query) { return !query.top.empty() || !query.missed.empty(); }
  bool has_curve() const { return scores_.precision_at.size() == kCurvePoints; }
  /// A file may hold what cannot be drawn.
  bool has_distribution() const { return scores_.distribution && can_draw(*scores_.distribution); }

  std::string head() const {
    std::string facts =
        fact_html("Protocol", html_escape(scores_.protocol)) + fact_html("Queries", grouped(scores_.queries.size()));
    for (const Count& count : scores_.counts)
      if (count.value > 0 && count.group.empty())
        facts += fact_html(html_escape(in_words(count.name)), grouped(count.value));
    if (!names_.folder().empty()) facts += fact_html("Names are below", html_escape(names_.folder()));
    std::vector<SectionLink> sections = {{"scores", "Scores"}};
    if (has_curve() || has_distribution()) sections.push_back({"curves", "Curves"});
    if (has_groups_) sections.push_back({"groups", html_escape("By " + scores_.group_kind)});
    if (has_rankings_ && !shown_.wanted.empty()) sections.push_back({"wanted", "Queries asked for"});
    if (has_rankings_ && !shown_.worst.empty()) sections.push_back({"worst", "Worst queries"});
    if (has_rankings_ && !shown_.best.empty()) sections.push_back({"best", "Best queries"});
    sections.push_back({"queries", "All queries"});
    return report_head("Evaluation by " + html_escape(scores_.protocol),
                       scores_.subject.empty() ? scores_.protocol : scores_.subject, facts, sections);
  }

  std::string scores_html() const {
    const std::vector<Mean> all = means(scores_);
    const std::vector<Interval> intervals = bootstrap_intervals(scores_, options_.bootstrap);
    std::string html = begin_section("scores", "Scores");
    if (!all.empty() && all[0].queries > 0)
      html += fmt::format(
          "<p class=\"headline\"><span class=\"of\">{}</span> <strong>{}</strong> <span class=\"range\">{:.0f} %: {} "
          "to {}</span></p>\n",
          html_escape(scores_.measures[0]), value_text(all[0].value), 100 * options_.bootstrap.confidence,
          value_text(intervals[0].low), value_text(intervals[0].high));
    html += remarks_html(scores_.remarks);
    html += begin_table("t-scores", "Means over queries",
                        {{.name = "Measure", .kind = Column::Kind::unsorted},
                         {.name = "Mean", .kind = Column::Kind::unsorted},
                         {.name = "Interval", .kind = Column::Kind::unsorted},
                         {.name = "<span class=\"hidden\">Drawn</span>", .kind = Column::Kind::unsorted},
                         {.name = "Queries", .kind = Column::Kind::unsorted},
                         {.name = "Meaning", .kind = Column::Kind::words}},
                        "means");
    for (std::size_t m = 0; m < all.size(); ++m) {
      if (all[m].queries == 0) continue;
      html += fmt::format("<tr><th scope=\"row\">{}<td>{}<td>{} to {}<td>{}<td>{}<td class=\"text\">{}\n",
                          html_escape(scores_.measures[m]), value_text(all[m].value), value_text(intervals[m].low),
                          value_text(intervals[m].high), meter(all[m].value, intervals[m]), grouped(all[m].queries),
                          measure_meaning(scores_.measures[m]));
    }
    html += kEndTable;
    html += fmt::format(
        "<p class=\"note\">Intervals hold the mean with {:.0f} %: percentile bootstrap of the queries, {} resamples, "
        "seed {}.</p>\n",
        100 * options_.bootstrap.confidence, grouped(options_.bootstrap.resamples), options_.bootstrap.seed);
    return html + totals_html() + "</section>\n";
  }

  std::string totals_html() const {
    std::string html;
    for (const Total& total : scores_.totals)
      if (!std::isnan(total.value) && total.group.empty())
        html += fact_html(html_escape(total.name), value_text(total.value));
    return html.empty() ? "" : "<h3>Of all queries together</h3>\n<dl class=\"values totals\">\n" + html + "</dl>\n";
  }

  std::string charts_html() const {
    if (!has_curve() && !has_distribution()) return "";
    std::string html = begin_section("curves", "Curves") + "<div class=\"charts\">\n";
    if (has_curve())
      html += "<div>\n<h3>Precision over recall</h3>\n" + recall_chart({{"", scores_.precision_at}}) + "</div>\n";
    if (has_distribution())
      html += "<div>\n<h3>Scores of what is relevant and what is not</h3>\n" +
              distribution_chart(*scores_.distribution) + "</div>\n";
    return html + "</div>\n</section>\n";
  }

  std::vector<Column> measure_columns() const {
    std::vector<Column> columns;
    for (const std::string& measure : scores_.measures)
      columns.push_back({.name = html_escape(measure), .title = measure_meaning(measure)});
    if (!columns.empty()) columns[0].sorted = "ascending";
    return columns;
  }

  std::string groups_html() const {
    std::map<std::string_view, std::uint64_t> queries;
    for (const QueryScores& query : scores_.queries) ++queries[query.group];
    auto groups = group_means(scores_);
    const auto key = [&](const auto& group) {
      return scores_.measures.empty() || std::isnan(group.second[0].value) ? INFINITY : group.second[0].value;
    };
    std::ranges::stable_sort(groups, {}, key);
    const std::string kind = html_escape(scores_.group_kind);
    std::string html = begin_section("groups", "By " + kind);
    const std::size_t count = std::min(groups.size(), kMostGroups);
    if (count < groups.size())
      html += fmt::format("<p class=\"note\">The worst {} of {}.</p>\n", grouped(count), grouped(groups.size()));
    std::vector<Column> columns = {{.name = kind, .kind = Column::Kind::text}, {.name = "queries"}};
    std::ranges::move(measure_columns(), std::back_inserter(columns));
    std::vector<std::string> totals;  // that groups have
    std::map<std::pair<std::string_view, std::string_view>, double> total_of;
    for (const Total& total : scores_.totals) {
      if (total.group.empty()) continue;
      if (std::ranges::count(totals, total.name) == 0) totals.push_back(total.name);
      total_of.emplace(std::pair(std::string_view(total.group), std::string_view(total.name)), total.value);
    }
    for (const std::string& total : totals) columns.push_back({.name = html_escape(total)});
    html += begin_table("t-groups", "Means of each " + kind, columns, "long");
    for (std::size_t i = 0; i < count; ++i) {
      const auto& [name, all] = groups[i];
      html += fmt::format("<tr><th scope=\"row\">{}<td>{}", name.empty() ? "none" : html_escape(name),
                          grouped(queries[name]));
      for (std::size_t m = 0; m < all.size(); ++m)
        html += fmt::format("<td>{}{}", value_text(all[m].value), m == 0 ? meter(all[m].value, {}) : "");
      for (const std::string& total : totals) {
        const auto found = total_of.find({name, total});
        html += "<td>" + value_text(found == total_of.end() ? kNoValue : found->second);
      }
      html += '\n';
    }
    return html + std::string(kEndTable) + "</section>\n";
  }

  /// The worst that fit.
  std::string queries_html() const {
    std::map<std::size_t, std::string> anchors;
    for (const std::size_t query : shown_.all()) anchors.emplace(query, ShownQueries::anchor(anchors.size()));
    std::vector<Column> columns = {{.name = "query", .kind = Column::Kind::text}};
    if (has_groups_) columns.push_back({.name = html_escape(scores_.group_kind), .kind = Column::Kind::text});
    if (has_rankings_)
      columns.push_back({.name = fmt::format("first {}", kStrip),
                         .kind = Column::Kind::words,
                         .title = "filled: relevant; dash: junk"});
    columns.push_back({.name = "relevant", .title = "items that are"});
    std::ranges::move(measure_columns(), std::back_inserter(columns));
    std::string rows;
    std::size_t count = 0;
    for (const std::size_t query : order_) {
      const auto anchor = anchors.find(query);
      std::string row =
          query_row(scores_.queries[query], has_rankings_ && anchor != anchors.end() ? anchor->second : "");
      if (rows.size() + row.size() > options_.bytes / kTableShare) break;
      rows += row;
      ++count;
    }
    std::string html = begin_section("queries", "All queries");
    html += count < order_.size() ? fmt::format("<p class=\"note\">The worst {} of {}; --per-query writes all.</p>\n",
                                                grouped(count), grouped(order_.size()))
                                  : "";
    if (has_rankings_) html += "<p class=\"note\">Names that are links lead to the ranking in pictures.</p>\n";
    return html + begin_table("t-queries", "Measures of each query", columns, "long") + rows + std::string(kEndTable) +
           "</section>\n";
  }

  std::string query_row(const QueryScores& query, const std::string& anchor) const {
    const std::string name = html_escape(names_.within(query.query));
    std::string row = anchor.empty() ? fmt::format("<tr><th scope=\"row\">{}", name)
                                     : fmt::format("<tr><th scope=\"row\"><a href=\"#{}\">{}</a>", anchor, name);
    if (has_groups_) row += "<td class=\"text\">" + html_escape(query.group);
    if (has_rankings_) row += "<td class=\"text\">" + mark_strip(query, kStrip);
    row += fmt::format("<td>{}", query.relevant);
    for (const double value : query.values) row += "<td>" + value_text(value);
    return row + '\n';
  }

  std::string rankings_html(PagePictures& pictures, std::uint64_t taken) const {
    if (!has_rankings_ || shown_.empty()) return "";
    return shown_html(scores_, shown_, names_, pictures, options_, options_.bytes > taken ? options_.bytes - taken : 0);
  }

  const Scores& scores_;
  const ReportOptions& options_;
  Names names_;
  std::vector<std::size_t> order_;
  ShownQueries shown_;
  bool has_groups_, has_rankings_;
};

}  // namespace

void write_report(OutputFile& out, const Scores& scores, const ReportOptions& options) {
  out.write(Report(scores, options).html());
}

}  // namespace cbir
