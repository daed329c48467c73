#include "charts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "page_parts.hpp"

namespace cbir {
namespace {

constexpr double kWidth = 480, kHeight = 320, kLeft = 44, kRight = 468, kTop = 18, kBottom = 276;

/// Where values of both axes lie in the drawing.
struct Axes {
  double x_low = 0, x_high = 1, y_high = 1;

  double x(double value) const { return kLeft + (kRight - kLeft) * (value - x_low) / (x_high - x_low); }
  double y(double value) const { return kBottom - (kBottom - kTop) * value / y_high; }
};

std::string line(std::string_view kind, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", kind, x1, y1, x2,
                     y2);
}

std::string text(std::string_view anchor, double x, double y, std::string_view words) {
  return fmt::format("<text text-anchor=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", anchor, x, y, words);
}

std::string begin_chart(std::string_view id, std::string_view title, std::string_view description) {
  return fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {1} {2}\" role=\"img\" aria-labelledby=\"{0}-title\" "
      "aria-describedby=\"{0}-desc\">"
      "<title id=\"{0}-title\">{3}</title><desc id=\"{0}-desc\">{4}</desc>\n",
      id, kWidth, kHeight, title, description);
}

/// The step of 1, 2 or 5 times a power of ten that cuts a range into four to ten parts.
double tick_step(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 4)));
  const double parts = range / 4 / power;
  return power * (parts >= 5 ? 5 : parts >= 2 ? 2 : 1);
}

std::string x_ticks(const Axes& axes) {
  std::string svg;
  const double step = tick_step(axes.x_high - axes.x_low);
  for (double i = std::ceil(axes.x_low / step); i * step <= axes.x_high + step * 1e-6; ++i) {
    const double value = i == 0 ? 0 : i * step;  // never "-0"
    svg += line("tick", axes.x(value), kBottom, axes.x(value), kBottom + 4);
    svg += text("middle", axes.x(value), kBottom + 18, fmt::format("{:.6g}", value));
  }
  return svg +
         text("middle", (kLeft + kRight) / 2, kHeight - 8, axes.x_low == 0 && axes.x_high == 1 ? "recall" : "score");
}

std::string curve_path(const Axes& axes, const std::vector<double>& values) {
  std::string path;
  for (std::size_t i = 0; i < values.size(); ++i)
    path += fmt::format("{}{:.1f} {:.1f}", i ? "L" : "M",
                        axes.x(static_cast<double>(i) / static_cast<double>(values.size() - 1)), axes.y(values[i]));
  return path;
}

std::string recall_table(const std::vector<RecallCurve>& curves) {
  std::string html = "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Recall";
  for (const RecallCurve& curve : curves)
    html += fmt::format("<th scope=\"col\">Precision{}{}", curve.name.empty() ? "" : ", ", curve.name);
  html += "</thead><tbody>\n";
  const std::size_t points = curves.front().precision_at.size();
  for (std::size_t i = 0; i < points; i += std::max<std::size_t>((points - 1) / 20, 1)) {
    html += fmt::format("<tr><th scope=\"row\">{:.2f}", static_cast<double>(i) / static_cast<double>(points - 1));
    for (const RecallCurve& curve : curves)
      html += i < curve.precision_at.size() ? fmt::format("<td>{:.4f}", curve.precision_at[i]) : "<td>–";
    html += "\n";
  }
  return html + "</tbody></table></div>";
}

/// A distribution with fewer bins, for drawing.
struct Bars {
  Axes axes;
  std::vector<double> relevant, irrelevant;  ///< shares of their kind
};

Bars bars_of(const ScoreDistribution& distribution) {
  constexpr std::size_t kMost = 64;
  const std::size_t bins = distribution.relevant.size(), joined = (bins + kMost - 1) / kMost;
  const std::size_t count = (bins + joined - 1) / joined;
  const double width = (distribution.high - distribution.low) / static_cast<double>(bins);
  Bars bars{
      .axes = {.x_low = distribution.low, .x_high = distribution.low + width * static_cast<double>(count * joined)},
      .relevant = {},
      .irrelevant = {}};
  const auto shares = [&](const std::vector<std::uint64_t>& counts) {
    std::vector<double> result(count);
    const auto all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    for (std::size_t i = 0; i < bins && all > 0; ++i)
      result[i / joined] += static_cast<double>(counts[i]) / static_cast<double>(all);
    return result;
  };
  bars.relevant = shares(distribution.relevant);
  bars.irrelevant = shares(distribution.irrelevant);
  bars.axes.y_high =
      1.2 * std::max(*std::ranges::max_element(bars.relevant), *std::ranges::max_element(bars.irrelevant));
  return bars;
}

std::string step_path(const Axes& axes, const std::vector<double>& shares) {
  std::string path = fmt::format("M{:.1f} {:.1f}", kLeft, kBottom);
  const double width = (kRight - kLeft) / static_cast<double>(shares.size());
  for (std::size_t i = 0; i < shares.size(); ++i)
    path += fmt::format("V{:.1f}H{:.1f}", axes.y(shares[i]), kLeft + width * static_cast<double>(i + 1));
  return path + fmt::format("V{:.1f}", kBottom);
}

std::string score_text(double score) { return fmt::format("{:.4f}", score == 0 ? 0.0 : score); }

/// A suggested cut-off, as a line with its name on the side that is given; where there is no room for that, on the
/// other and further down.
std::string cut_line(const Axes& axes, const CutPoint& cut, std::string_view kind, std::string_view name, bool left) {
  constexpr double kRoom = 150;
  const double x = std::clamp(axes.x(cut.score), kLeft, kRight);
  const bool fits = left ? x > kRoom : x < kWidth - kRoom;
  if (!fits) left = !left;
  return line(fmt::format("cut {}", kind), x, kTop - 8, x, kBottom) +
         fmt::format("<g class=\"cut-name\">{}</g>",
                     text(left ? "end" : "start", x + (left ? -6 : 6), kTop + (fits ? 4 : 22),
                          fmt::format("{} {}", name, score_text(cut.score))));
}

std::string sentence(const CutPoint& cut, std::string_view why) {
  return fmt::format(
      "<li><b>{}</b> {}. Of the {} pairs that score at least that, {:.1f} % are relevant; they are {:.1f} % of all "
      "relevant pairs.\n",
      score_text(cut.score), why, grouped(cut.pairs), 100 * cut.precision, 100 * cut.recall);
}

std::string distribution_table(const ScoreDistribution& distribution) {
  const std::vector<CutPoint> points = cut_points(distribution);
  const std::size_t step = (points.size() + 31) / 32;
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Score, from<th scope=\"col\">Relevant pairs<th "
      "scope=\"col\">Irrelevant pairs<th scope=\"col\">Precision from here on<th scope=\"col\">Recall from here "
      "on</thead><tbody>\n";
  for (std::size_t i = 0; i < points.size(); i += step) {
    std::uint64_t relevant = 0, irrelevant = 0;
    for (std::size_t j = i; j < std::min(i + step, points.size()); ++j) {
      relevant += distribution.relevant[j];
      irrelevant += distribution.irrelevant[j];
    }
    html += fmt::format("<tr><th scope=\"row\">{}<td>{}<td>{}<td>{}<td>{:.4f}\n", score_text(points[i].score),
                        grouped(relevant), grouped(irrelevant),
                        points[i].pairs ? fmt::format("{:.4f}", points[i].precision) : "–", points[i].recall);
  }
  return html + "</tbody></table></div>";
}

}  // namespace

std::string recall_chart(const std::vector<RecallCurve>& curves) {
  const Axes axes;
  std::string html = "<figure>\n" + begin_chart("pr", "Precision over recall",
                                                "Mean interpolated precision at each recall; the numbers are in the "
                                                "table below.");
  for (const int tenths : {0, 2, 4, 6, 8, 10}) {
    const double y = axes.y(tenths / 10.);
    html += line(tenths ? "grid" : "axis", kLeft, y, kRight, y) +
            text("end", kLeft - 7, y + 4, fmt::format("{:.1f}", tenths / 10.));
  }
  html += x_ticks(axes) + text("start", 4, 10, "precision") + "\n";
  if (curves.size() == 1)
    html += fmt::format("<path class=\"area\" d=\"{}L{:.1f} {:.1f}L{:.1f} {:.1f}Z\"/>",
                        curve_path(axes, curves[0].precision_at), kRight, kBottom, kLeft, kBottom);
  for (std::size_t i = 0; i < curves.size(); ++i)
    html += fmt::format("<path class=\"curve{}\" d=\"{}\"/>\n", i ? " second" : "",
                        curve_path(axes, curves[i].precision_at));
  for (std::size_t i = 0; i < curves.size() && curves.size() > 1; ++i) {
    const double y = kBottom - 34 + 18 * static_cast<double>(i);
    html += line(i ? "curve second" : "curve", kLeft + 12, y - 4, kLeft + 44, y - 4) +
            text("start", kLeft + 52, y, curves[i].name);
  }
  return html +
         "</svg>\n<figcaption>The mean over queries of the highest precision at any rank at which that much was "
         "found.</figcaption>\n<details><summary>The numbers</summary>" +
         recall_table(curves) + "</details>\n</figure>\n";
}

bool can_draw(const ScoreDistribution& distribution) {
  const std::size_t bins = distribution.relevant.size();
  const double width = distribution.high - distribution.low;
  const auto some = [](std::uint64_t count) { return count > 0; };
  return bins > 0 && distribution.irrelevant.size() == bins && std::isfinite(width) && width > 0 &&
         width > 1e-9 * std::max(std::abs(distribution.low), std::abs(distribution.high)) &&
         std::ranges::any_of(distribution.relevant, some);
}

std::string distribution_chart(const ScoreDistribution& distribution) {
  const Bars bars = bars_of(distribution);
  const auto precise = cut_of_precision(distribution, .9), balanced = cut_of_best_f1(distribution);
  std::string html = "<figure>\n" + begin_chart("dist", "Scores of relevant and of irrelevant pairs",
                                                "How often each score comes, as a share of the relevant and of the "
                                                "irrelevant pairs; the numbers are in the table below.");
  html +=
      "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><line class=\"hatch\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"5\"/></pattern></defs>\n";
  html += line("axis", kLeft, kBottom, kRight, kBottom) + x_ticks(bars.axes) + "\n";
  html += fmt::format("<path class=\"irrelevant\" d=\"{}\"/>\n<path class=\"relevant\" d=\"{}\"/>\n",
                      step_path(bars.axes, bars.irrelevant), step_path(bars.axes, bars.relevant));
  // Names stand outside of the two lines, where one never covers the other.
  const bool lower = balanced && (!precise || balanced->score < precise->score);
  if (balanced) html += cut_line(bars.axes, *balanced, "balanced", "best F1", lower);
  if (precise) html += cut_line(bars.axes, *precise, "precise", "90 % precise", !lower);
  html +=
      "</svg>\n<figcaption><span class=\"key relevant\"></span> relevant pairs of a query and an item, "
      "<span class=\"key irrelevant\"></span> irrelevant ones, each as shares of their kind.</figcaption>\n"
      "<ul class=\"cuts\">\n";
  if (precise) html += sentence(*precise, "is the lowest cut-off with a precision of 90 %");
  else html += "<li>No cut-off on the score has a precision of 90 %.\n";
  if (balanced)
    html += sentence(*balanced, fmt::format("is the cut-off of the best F1, {:.3f}, which weighs precision "
                                            "and recall alike",
                                            balanced->f1()));
  const std::size_t bins = distribution.relevant.size();
  html += fmt::format(
      "</ul>\n<p class=\"note\">Cut-offs are edges of the {} bins, {:.2g} wide, in which all pairs were counted, those "
      "of "
      "all queries together. Another collection, with more or fewer relevant items a query, has others.</p>\n",
      bins, (distribution.high - distribution.low) / static_cast<double>(bins));
  return html + "<details><summary>The numbers</summary>" + distribution_table(distribution) +
         "</details>\n</figure>\n";
}

}  // namespace cbir
