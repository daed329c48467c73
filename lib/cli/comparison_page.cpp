#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <cbir/base/text.hpp>
#include <cbir/cli/report.hpp>

#include "charts.hpp"
#include "report_queries.hpp"

namespace cbir {
namespace {

constexpr std::size_t kOpen = 3;          // of the queries, whose rankings are seen at once
constexpr std::uint64_t kTableShare = 2;  // of the page, at most 1 / this is the table of moves
constexpr std::size_t kCurvePoints = 101;

/// "0.0003"; what is less is said to be.
std::string p_text(double p) { return std::isnan(p) ? "–" : p < .0001 ? "&lt; 0.0001" : fmt::format("{:.4f}", p); }

/// As part of a sentence: "p = 0.0123", "p < 0.0001".
std::string p_phrase(double p) { return (p < .0001 ? "p " : "p = ") + p_text(p); }

/// A difference and its interval around a line at 0, all measures on one scale of [-scale, scale].
std::string forest(const MeasureComparison& measure, double scale) {
  if (std::isnan(measure.difference) || !(scale > 0)) return "";
  const auto x = [&](double value) { return 100 + 96 * std::clamp(value / scale, -1., 1.); };
  const int verdict = measure.verdict();
  const std::string_view kind = verdict > 0 ? "better" : verdict < 0 ? "worse" : "unclear";
  return fmt::format(
      "<svg class=\"forest {0}\" viewBox=\"0 0 200 20\" aria-hidden=\"true\"><line class=\"zero\" x1=\"100\" y1=\"0\" "
      "x2=\"100\" y2=\"20\"/><line class=\"span\" x1=\"{1:.1f}\" y1=\"10\" x2=\"{2:.1f}\" y2=\"10\"/><circle "
      "cx=\"{3:.1f}\" cy=\"10\" r=\"4\"/></svg>",
      kind, x(measure.interval.low), x(measure.interval.high), x(measure.difference));
}

/// One of the two, and the ranks of its items by name in each query.
struct Side {
  const Scores& scores;
  const std::string& file;
  std::string_view letter;

  const std::string& name(const JudgedItem& item) const { return scores.items[item.item]; }

  std::unordered_map<std::string_view, std::uint64_t> ranks(const QueryScores& query) const {
    std::unordered_map<std::string_view, std::uint64_t> result;
    for (const auto* list : {&query.top, &query.missed})
      for (const JudgedItem& item : *list) result.emplace(name(item), item.rank);
    return result;
  }
};

class ComparisonPage {
 public:
  ComparisonPage(const Scores& a, const Scores& b, const Comparison& comparison, const std::string& measure,
                 const ComparisonOptions& names, const ReportOptions& options)
      : a_{a, names.name_a, "A"},
        b_{b, names.name_b, "B"},
        comparison_(comparison),
        plan_(names),
        options_(options),
        names_({&a, &b}),
        moves_(most_moved(a, b, comparison, measure, comparison.pairs.size())) {
    const auto ranked = [](const QueryScores& query) { return !query.top.empty() || !query.missed.empty(); };
    has_rankings_ = std::ranges::any_of(a.queries, ranked) && std::ranges::any_of(b.queries, ranked);
  }

  std::string html() {
    std::string html = head() + measures_html() + curves_html();
    const std::string tail =
        moves_html() + report_end(fmt::format("{} queries in both", grouped(comparison_.pairs.size())));
    PagePictures pictures(options_.thumbnails);
    const std::uint64_t taken = html.size() + tail.size();
    if (has_rankings_) html += rankings_html(pictures, options_.bytes > taken ? options_.bytes - taken : 0);
    pictures.warn();
    return html + tail;
  }

 private:
  std::size_t shown() const { return has_rankings_ ? std::min(options_.shown, moves_.queries.size()) : 0; }

  bool has_curves() const {
    return a_.scores.precision_at.size() == kCurvePoints && b_.scores.precision_at.size() == kCurvePoints;
  }

  std::string head() const {
    const auto of = [](const Side& side) {
      return html_escape(side.file) + (side.scores.subject.empty() ? "" : ": " + html_escape(side.scores.subject));
    };
    std::string facts = fact_html("A", of(a_)) + fact_html("B", of(b_)) +
                        fact_html("Queries in both", grouped(comparison_.pairs.size()));
    if (!names_.folder().empty()) facts += fact_html("Names are below", html_escape(names_.folder()));
    std::vector<SectionLink> sections = {{"scores", "Differences"}};
    if (has_curves()) sections.push_back({"curves", "Curves"});
    if (shown() > 0) sections.push_back({"moved", "Moved most"});
    sections.push_back({"queries", "All that moved"});
    return report_head("Comparison by " + html_escape(a_.scores.protocol), "A and B compared", facts, sections);
  }

  /// What became of the measure by which queries moved, as a sentence.
  std::string verdict() const {
    const auto found = std::ranges::find(comparison_.measures, moves_.measure, &MeasureComparison::measure);
    if (found == comparison_.measures.end() || found->queries == 0) return "";
    const int verdict = found->verdict();
    const std::string_view sense = verdict > 0 ? "B is better" : verdict < 0 ? "B is worse" : "No clear difference";
    return fmt::format(
        "<p class=\"headline\"><span class=\"of\">{}</span> <strong>{}</strong> <span class=\"range\">{:.0f} %: {} to "
        "{}</span></p>\n"
        "<p class=\"verdict\">{}: {} gained, {} lost, {} stayed ({}).</p>\n",
        html_escape(found->measure), difference_text(found->difference), 100 * plan_.bootstrap.confidence,
        difference_text(found->interval.low), difference_text(found->interval.high), sense, grouped(found->better),
        grouped(found->worse), grouped(found->equal), p_phrase(found->p_value));
  }

  std::string measures_html() const {
    using Kind = Column::Kind;
    double scale = 0;
    for (const MeasureComparison& each : comparison_.measures)
      for (const double end : {each.interval.low, each.interval.high})
        if (std::isfinite(end)) scale = std::max(scale, std::abs(end));
    std::string html = begin_section("scores", "Differences") + verdict() + remarks_html(remarks(comparison_, plan_));
    html += begin_table("t-scores", "Means and their differences",
                        {{.name = "Measure", .kind = Kind::unsorted},
                         {.name = "A", .kind = Kind::unsorted},
                         {.name = "B", .kind = Kind::unsorted},
                         {.name = "B − A", .kind = Kind::unsorted},
                         {.name = "Interval", .kind = Kind::unsorted},
                         {.name = "<span class=\"hidden\">Drawn</span>", .kind = Kind::unsorted},
                         {.name = "p", .kind = Kind::unsorted},
                         {.name = "Better", .kind = Kind::unsorted},
                         {.name = "Worse", .kind = Kind::unsorted},
                         {.name = "Equal", .kind = Kind::unsorted}},
                        "means");
    for (const MeasureComparison& each : comparison_.measures) {
      if (each.queries == 0) continue;
      html += fmt::format(
          "<tr><th scope=\"row\" title=\"{}\">{}<td>{}<td>{}<td>{}<td>{} to {}<td>{}<td>{}<td>{}<td>{}<td>{}\n",
          measure_meaning(each.measure), html_escape(each.measure), value_text(each.a), value_text(each.b),
          difference_text(each.difference), difference_text(each.interval.low), difference_text(each.interval.high),
          forest(each, scale), p_text(each.p_value), grouped(each.better), grouped(each.worse), grouped(each.equal));
    }
    html += kEndTable;
    return html +
           fmt::format(
               "<p class=\"note\">Intervals hold the difference with {:.0f} %: percentile bootstrap of the pairs. "
               "p is that of the randomisation test, two-sided. {} resamples, seed {}.</p>\n</section>\n",
               100 * plan_.bootstrap.confidence, grouped(plan_.bootstrap.resamples), plan_.bootstrap.seed);
  }

  std::string curves_html() const {
    if (!has_curves()) return "";
    return begin_section("curves", "Precision over recall") + "<div class=\"charts\">\n<div>\n" +
           recall_chart({{"A", a_.scores.precision_at}, {"B", b_.scores.precision_at}}) +
           "</div>\n</div>\n</section>\n";
  }

  std::string moves_html() const {
    const bool groups = std::ranges::any_of(a_.scores.queries, [](const QueryScores& q) { return !q.group.empty(); });
    const std::string measure = html_escape(moves_.measure);
    std::vector<Column> columns = {{.name = "query", .kind = Column::Kind::text}};
    if (groups) columns.push_back({.name = html_escape(a_.scores.group_kind), .kind = Column::Kind::text});
    for (const char* name : {"A", "B", "B − A"}) columns.push_back({.name = name, .title = measure});
    columns.push_back({.name = "moved by", .title = "whichever way", .sorted = "descending"});
    std::string rows;
    std::size_t count = 0;
    for (const MovedQuery& query : moves_.queries) {
      const std::string name = html_escape(names_.within(query.query));
      rows += count < shown()
                  ? fmt::format("<tr><th scope=\"row\"><a href=\"#{}\">{}</a>", ShownQueries::anchor(count), name)
                  : fmt::format("<tr><th scope=\"row\">{}", name);
      if (groups) rows += "<td class=\"text\">" + html_escape(a_.scores.queries[query.pair.a].group);
      rows += fmt::format("<td>{}<td>{}<td>{}<td>{}\n", value_text(query.a), value_text(query.b),
                          difference_text(query.b - query.a), value_text(std::abs(query.b - query.a)));
      ++count;
      if (rows.size() > options_.bytes / kTableShare) break;
    }
    std::string html = begin_section("queries", "All queries that moved");
    if (moves_.queries.empty())
      return html + fmt::format("<p class=\"nothing\">None, by {}.</p>\n</section>\n", measure);
    html += fmt::format("<p class=\"note\">By {}.{}</p>\n", measure,
                        count < moves_.queries.size()
                            ? fmt::format(" The first {} of {}.", grouped(count), grouped(moves_.queries.size()))
                            : "");
    return html + begin_table("t-queries", "Queries that moved", columns, "long") + rows + std::string(kEndTable) +
           "</section>\n";
  }

  std::span<const JudgedItem> top(const QueryScores& query) const {
    return std::span(query.top).first(std::min(query.top.size(), options_.results));
  }

  std::string rankings_html(PagePictures& pictures, std::uint64_t bytes) const {
    if (shown() == 0) return "";
    const auto moved = std::span(moves_.queries).first(shown());
    std::vector<std::string> files;
    std::uint64_t markup = 0;
    for (const MovedQuery& query : moved) {
      const auto want = [&](const std::string& file, const std::string& name) {
        if (!file.empty()) files.push_back(file);
        markup += item_bytes(name);
      };
      const QueryScores &of_a = a_.scores.queries[query.pair.a], &of_b = b_.scores.queries[query.pair.b];
      want(query_file(pictures, of_a), query.query);
      for (const JudgedItem& item : top(of_a)) want(item_file(pictures, of_a, a_.name(item)), a_.name(item));
      for (const JudgedItem& item : top(of_b)) want(item_file(pictures, of_b, b_.name(item)), b_.name(item));
    }
    pictures.add_within(files, bytes > markup ? bytes - markup : 0);
    std::string html = begin_section("moved", "Queries that moved most");
    html += fmt::format("<p class=\"note\">By {}. {} {} {}; beside each item is where the other ranking has it.</p>\n",
                        html_escape(moves_.measure), mark_tag(Mark::relevant, false), mark_tag(Mark::irrelevant, false),
                        mark_tag(Mark::junk, false));
    for (std::size_t i = 0; i < moved.size(); ++i) html += query_html(moved[i], i, pictures);
    return html + "</section>\n";
  }

  std::string query_html(const MovedQuery& moved, std::size_t number, PagePictures& pictures) const {
    const QueryScores &of_a = a_.scores.queries[moved.pair.a], &of_b = b_.scores.queries[moved.pair.b];
    const double difference = moved.b - moved.a;
    return fmt::format(
               "<details class=\"shown\"{}>\n<summary><h3>{}</h3><span class=\"value\">{} {} → {} <b class=\"{}\">{} "
               "{}</b></span>{}</summary>\n<div class=\"query pair\" id=\"{}\" tabindex=\"-1\">\n<div "
               "class=\"asked\">\n<div class=\"frame\">{}</div>\n</div>\n",
               number < kOpen ? " open" : "", names_.html(moved.query), html_escape(moves_.measure),
               value_text(moved.a), value_text(moved.b),
               (difference > 0) != lower_is_better(moves_.measure) ? "better" : "worse",
               difference > 0 ? "<span aria-hidden=\"true\">▲</span>" : "<span aria-hidden=\"true\">▼</span>",
               difference_text(difference), group_html(names_, of_a), ShownQueries::anchor(number),
               query_picture(pictures, of_a)) +
           ranking_html(a_, of_a, b_, of_b, moved.a, pictures) + ranking_html(b_, of_b, a_, of_a, moved.b, pictures) +
           "</div>\n</details>\n";
  }

  /// The ranking of `side`, with ranks of `other` beside it.
  std::string ranking_html(const Side& side, const QueryScores& query, const Side& other, const QueryScores& of_other,
                           double value, PagePictures& pictures) const {
    const auto ranks = other.ranks(of_other);
    std::string html = fmt::format("<div class=\"ranking\">\n<h4>{} <span class=\"value\">{} <b>{}</b></span></h4>\n",
                                   side.letter, html_escape(moves_.measure), value_text(value));
    if (query.top.empty()) return html + "<p class=\"nothing\">The ranking is empty.</p>\n</div>\n";
    html += "<ol class=\"ranks\">\n";
    for (const JudgedItem& item : top(query)) {
      const std::string& name = side.name(item);
      const std::string full = html_escape(name);
      html += fmt::format(
          "<li class=\"row {}\"><span class=\"rank\"><span class=\"hidden\">Rank </span>{}</span><div "
          "class=\"frame\">{}"
          "</div><div class=\"about\">{} {}<div class=\"path\" title=\"{}\">{}</div></div></li>\n",
          mark_class(item.mark), grouped(item.rank),
          item_picture(pictures, query, name, fmt::format("Rank {}", item.rank)), mark_tag(item.mark, false),
          elsewhere(item, ranks, name, other, of_other), full, names_.html(name));
    }
    return html + "</ol>\n</div>\n";
  }

  /// Where the other ranking has an item; beside those of B, whether that was a rise.
  static std::string elsewhere(const JudgedItem& item, const std::unordered_map<std::string_view, std::uint64_t>& ranks,
                               const std::string& name, const Side& other, const QueryScores& of_other) {
    const auto found = ranks.find(name);
    if (found == ranks.end())
      return fmt::format("<span class=\"change new\">not in the first {} of {}</span>", of_other.top.size(),
                         other.letter);
    if (found->second == JudgedItem::kUnranked)
      return fmt::format("<span class=\"change new\">not ranked in {}</span>", other.letter);
    const std::uint64_t rank = found->second;
    if (other.letter == "B") return fmt::format("<span class=\"change\">{} in B</span>", grouped(rank));
    const bool up = rank > item.rank, down = rank < item.rank;
    return fmt::format("<span class=\"change{}\"><span aria-hidden=\"true\">{} </span>{} in A</span>",
                       up     ? " up"
                       : down ? " down"
                              : "",
                       up     ? "▲"
                       : down ? "▼"
                              : "=",
                       grouped(rank));
  }

  const Side a_, b_;
  const Comparison& comparison_;
  const ComparisonOptions& plan_;
  const ReportOptions& options_;
  Names names_;
  Moves moves_;  ///< all
  bool has_rankings_ = false;
};

}  // namespace

void write_comparison_page(OutputFile& out, const Scores& a, const Scores& b, const Comparison& comparison,
                           const std::string& measure, const ComparisonOptions& names, const ReportOptions& options) {
  out.write(ComparisonPage(a, b, comparison, measure, names, options).html());
}

}  // namespace cbir
