#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <cbir/base/log.hpp>
#include <cbir/base/text.hpp>
#include <cbir/cli/findings.hpp>
#include <cbir/image/resize.hpp>

#include "page.hpp"
#include "page_parts.hpp"

namespace cbir {
namespace {

constexpr int kSide = 640, kQuality = 80;  // of the pictures on the page
constexpr std::size_t kMostPictures = 1000;

/// A picture as the page shows it, and the boxes in it.
struct Shot {
  std::vector<std::byte> jpeg;
  int width = 0, height = 0;  ///< of the picture itself, which boxes are in
  std::vector<ItemFinding> findings;
};

Shot shot_of(const Image& picture, std::vector<ItemFinding> findings) {
  Shot shot{.jpeg = {}, .width = picture.width, .height = picture.height, .findings = std::move(findings)};
  const double scale = static_cast<double>(kSide) / std::max(picture.width, picture.height);
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  shot.jpeg = encode_jpeg(
      scale < 1 ? resize(picture, scaled(picture.width), scaled(picture.height), Filter::bilinear) : picture, kQuality);
  return shot;
}

/// Where names stand, about: above the frame, or below it, or inside, so that none lies over another.
class Labels {
 public:
  /// `unit`: a third of the letters' height.
  Labels(int width, int height, double unit) : width_(width), height_(height), unit_(unit) {}

  /// The left end of the line that the letters stand on.
  std::pair<double, double> place(const Box& box, const std::string& name) {
    constexpr double kLetter = 1.9;  // width, in units
    const double wide = std::min(width_, kLetter * unit_ * static_cast<double>(name.size()));
    const double x = std::clamp(box.x1 + unit_, 0., width_ - wide);
    const double lines[] = {box.y1 - unit_, box.y2 + 3 * unit_, box.y2 - unit_, box.y1 + 3 * unit_};
    std::optional<Box> chosen;
    for (const double y : lines) {
      const Box at{x, y - 3 * unit_, x + wide, y + unit_};
      const bool fits = at.y1 >= 0 && at.y2 <= height_;
      if (fits && std::ranges::none_of(taken_, [&](const Box& other) { return overlaps(at, other); })) {
        chosen = at;
        break;
      }
    }
    if (!chosen) chosen = Box{x, std::max(0., box.y1 - 4 * unit_), x + wide, std::max(4 * unit_, box.y1)};
    taken_.push_back(*chosen);
    return {chosen->x1, chosen->y2 - unit_};
  }

 private:
  static bool overlaps(const Box& a, const Box& b) { return a.x1 < b.x2 && b.x1 < a.x2 && a.y1 < b.y2 && b.y1 < a.y2; }

  double width_, height_, unit_;
  std::vector<Box> taken_;
};

/// The picture with a frame around each item, and its name.
std::string shot_html(const Shot& shot, const std::string& alt) {
  const double unit = std::max(shot.width, shot.height) / 100.;  // lines and letters are as large on each picture
  std::string html = fmt::format(
      "<svg class=\"shot\" viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{2}\"><image width=\"{0}\" height=\"{1}\" "
      "href=\"data:image/jpeg;base64,{3}\"/>",
      shot.width, shot.height, html_escape(alt), base64_encode(as_text(shot.jpeg)));
  Labels labels(shot.width, shot.height, unit);
  for (const ItemFinding& finding : shot.findings) {
    const Box& box = finding.box;
    const auto [x, y] = labels.place(box, finding.item);
    html += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" stroke-width=\"{:.2f}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\" stroke-width=\"{:.2f}\">{}</text>",
        box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1, unit * .6, x, y, 3 * unit, unit * .7,
        html_escape(finding.item));
  }
  return html + "</svg>\n";
}

std::string seconds(double time) {
  const auto tenths = std::lround(time * 10);
  return fmt::format("{}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10);
}

constexpr std::string_view kStyle = R"(
.shots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1.25rem; padding: 0 0 2rem; list-style: none; }
.shots .card { overflow: hidden; }
svg.shot { display: block; width: 100%; height: auto; }
svg.shot rect { fill: none; stroke: #19c37d; }
svg.shot text { fill: #fff; stroke: #0b3d29; paint-order: stroke; font-weight: 600; }
.shots table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
.shots td, .shots th { padding: .1rem .4rem .1rem 0; text-align: left; font-weight: 400; overflow-wrap: anywhere; }
.shots th { color: var(--muted); }
.shots td.n, .shots th.n { text-align: right; white-space: nowrap; overflow-wrap: normal; }
main > h2 { margin: 1.25rem 0 .6rem; }
main > .note { margin: 0 0 1rem; }
)";

std::string head_style() { return std::string(page::kStyle) + std::string(kStyle); }

std::string findings_table(const std::vector<ItemFinding>& findings) {
  if (findings.empty()) return "<p class=\"note\">nothing found</p>\n";
  std::string html =
      "<table><tr><th>item</th><th class=\"n\">score</th><th class=\"n\">inliers</th><th "
      "class=\"n\">similarity</th></tr>\n";
  for (const ItemFinding& finding : findings)
    html +=
        fmt::format("<tr><td>{}</td><td class=\"n\">{:.1f}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
                    html_escape(finding.item), finding.score, finding.inliers,
                    finding.similarity ? fmt::format("{:.3f}", *finding.similarity) : "–");
  return html + "</table>\n";
}

}  // namespace

struct FindingsPage::State {
  OutputFile& out;
  Facts facts;
  std::uint64_t findings = 0, shown = 0, left_out = 0;
  bool in_pictures = false;
  /// Of the video at hand: for each item that is in sight its best frame so far, by the time of that frame; frames that
  /// several items share are kept once.
  std::map<double, Shot> frames;
  std::map<std::string, std::vector<std::pair<double, double>>> best;  ///< by item: score and time of each new best

  State(OutputFile& file, const Facts& known) : out(file), facts(known) {}

  bool may_show() {
    if (shown < kMostPictures) {
      ++shown;
      return true;
    }
    ++left_out;
    return false;
  }
};

FindingsPage::FindingsPage(OutputFile& out, const Facts& facts) : state_(std::make_unique<State>(out, facts)) {
  out.write(page_head(fmt::format("Items found · {}", facts.catalog), head_style(), page::kScript));
  out.write("<header>\n<h1>Items found</h1>\n<dl>\n");
  out.write(fact_html("Catalogue", html_escape(facts.catalog)));
  out.write(fact_html("Items", grouped(facts.items)));
  out.write(fact_html("Pictures of them", grouped(facts.pictures)));
  out.write(fact_html("Encoder", html_escape(facts.encoder)));
  out.write(fact_html("Keypoints", facts.features.empty() ? "not looked at" : html_escape(facts.features)));
  out.write(fact_html("Least score", fmt::format("{:.3g}", facts.threshold)));
  out.write("</dl>\n</header>\n<main>\n");
}

FindingsPage::~FindingsPage() = default;

void FindingsPage::add(const std::string& path, const Image& picture, const std::vector<ItemFinding>& findings) {
  state_->findings += findings.size();
  if (!state_->may_show()) return;
  if (!std::exchange(state_->in_pictures, true)) state_->out.write("<ul class=\"shots\">\n");
  state_->out.write(fmt::format("<li class=\"card\">{}<div class=\"about\"><div class=\"path\">{}</div>{}</div></li>\n",
                                shot_html(shot_of(picture, findings), path), path_html(path),
                                findings_table(findings)));
}

void FindingsPage::add_frame(const VideoFrame& frame, const std::vector<ItemFinding>& findings) {
  bool keeps = false;
  for (const ItemFinding& finding : findings) {
    auto& best = state_->best[finding.item];
    // Which frames become the best one of an appearance is known at the end; a frame that is no better than the last
    // one kept, within a second, is none.
    if (!best.empty() && frame.time - best.back().second < 1 && finding.score <= best.back().first) continue;
    best.emplace_back(finding.score, frame.time);
    keeps = true;
  }
  if (keeps && state_->frames.size() < kMostPictures)
    state_->frames.emplace(frame.time, shot_of(frame.picture, findings));
}

void FindingsPage::add_video(const std::string& path, const WatchReport& report) {
  if (std::exchange(state_->in_pictures, false)) state_->out.write("</ul>\n");
  state_->findings += report.appearances.size();
  state_->out.write(
      fmt::format("<h2>{}</h2>\n<p class=\"note\">{} of {} frames looked at, {} unchanged; {} appearances{}</p>\n<ul "
                  "class=\"shots\">\n",
                  path_html(path), grouped(report.looked_at), grouped(report.frames), grouped(report.unchanged),
                  grouped(report.appearances.size()), report.problem ? "; " + html_escape(*report.problem) : ""));
  for (const Appearance& appearance : report.appearances) {
    const auto frame = state_->frames.find(appearance.best_time);
    if (frame == state_->frames.end() || !state_->may_show()) {
      state_->left_out += frame == state_->frames.end();
      continue;
    }
    state_->out.write(fmt::format(
        "<li class=\"card\">{}<div class=\"about\"><div class=\"line\"><b>{}</b><span class=\"score\">{} to "
        "{}</span></div><div class=\"note\">best at {}, score {:.1f}, {} inliers; found in {} "
        "frames</div></div></li>\n",
        shot_html(frame->second, appearance.item), html_escape(appearance.item), seconds(appearance.from),
        seconds(appearance.to), seconds(appearance.best_time), appearance.best.score, appearance.best.inliers,
        grouped(appearance.frames)));
  }
  state_->out.write("</ul>\n");
  state_->frames.clear();
  state_->best.clear();
}

void FindingsPage::finish() {
  if (std::exchange(state_->in_pictures, false)) state_->out.write("</ul>\n");
  if (state_->shown == 0) state_->out.write("<p class=\"nothing\">Nothing was looked at.</p>\n");
  state_->out.write(fmt::format(
      "</main>\n<footer><span>{} findings{}</span></footer>\n", grouped(state_->findings),
      state_->left_out > 0 ? fmt::format("; {} pictures left out to keep the page small", grouped(state_->left_out))
                           : ""));
  state_->out.write(page_end(page::kScript));
  if (state_->left_out > 0)
    log(LogLevel::warning,
        fmt::format("{} left out of the page to keep it small", counted(state_->left_out, "picture")));
}

FindingsPage::Facts facts_of(const Catalog& catalog, const IdentifyOptions& options) {
  const CatalogThresholds& thresholds = catalog.settings().thresholds;
  return {.catalog = catalog.path(),
          .encoder = catalog.settings().preset.name,
          .features = options.verify ? catalog.settings().local.name : "",
          .items = catalog.items().size(),
          .pictures = catalog.pictures(),
          .threshold = options.min_score.value_or(options.verify ? thresholds.score : thresholds.similarity)};
}

}  // namespace cbir
