#include <fmt/format.h>

#include <algorithm>

#include <cbir/base/text.hpp>
#include <cbir/cli/matches.hpp>

#include "overlay.hpp"
#include "picture_page.hpp"

namespace cbir {
namespace {

constexpr double kGap = 12;  // between the pictures, in the pixels of their thumbnails

/// The two pictures of a pair as they lie in one drawing.
struct Drawing {
  double scale_a = 1, scale_b = 1;  ///< thumbnails' pixels for one of the picture's
  double offset = 0;                ///< of the second picture
  double width = 0, height = 0;
};

class HtmlWriter final : public MatchesWriter {
 public:
  HtmlWriter(OutputFile& out, MatchFacts facts, const ThumbnailOptions& thumbnails)
      : page_(out, thumbnails), facts_(std::move(facts)) {}

  void write(const MatchedPair& pair) override {
    begin();
    ++pairs_;
    verified_ += pair.verification.verified();
    page_.prepare({pair.pair.a, pair.pair.b});
    page_.write(
        fmt::format("<section class=\"match\" id=\"m{0}\" tabindex=\"-1\" aria-labelledby=\"t{0}\">\n", pairs_));
    write_heading(pair);
    if (pair.problem.empty()) write_drawing(pair);
    else page_.write(fmt::format("<p class=\"nothing\">{}</p>\n", html_escape(pair.problem)));
    page_.write("</section>\n");
    page_.drop_unshown();
  }

  void finish() override {
    begin();
    page_.finish(fmt::format("{} pairs, {} verified", grouped(pairs_), grouped(verified_)),
                 "<kbd>j</kbd> <kbd>k</kbd> next, previous pair");
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    const PicturePage::Facts facts = {{"Features", html_escape(facts_.features)},
                                      {"Matcher", html_escape(facts_.matcher)},
                                      {"Model", std::string(to_string(facts_.model))},
                                      {"Verified from score", fmt::format("{}", kVerifiedScore)}};
    page_.begin("Pictures compared", facts_.features, facts, "pair", "m1");
  }

  void write_heading(const MatchedPair& pair) {
    page_.write(fmt::format(
        "<div class=\"pair\"><p class=\"number\"><a href=\"#m{0}\">Pair {0}</a></p>\n<h2 id=\"t{0}\"><bdi>{1}</bdi> "
        "<span class=\"and\">and</span> <bdi>{2}</bdi></h2>\n",
        pairs_, html_escape(pair.pair.a), html_escape(pair.pair.b)));
    if (pair.problem.empty()) {
      const Verification& found = pair.verification;
      page_.write(fmt::format(
          "<p class=\"note\"><span class=\"label{}\">{}</span> {} and {} keypoints, {} matches, <b>{} inliers</b>, "
          "score <b>{:.1f}</b></p>\n",
          found.verified() ? " same" : "", found.verified() ? "✓ the same thing" : "nothing proved",
          grouped(pair.a->size()), grouped(pair.b->size()), grouped(found.matches), grouped(found.inliers.size()),
          found.score));
    }
    page_.write("</div>\n");
  }

  Drawing layout(const MatchedPair& pair) const {
    const auto [width_a, height_a] = page_.picture_size(pair.pair.a);
    const auto [width_b, height_b] = page_.picture_size(pair.pair.b);
    return {.scale_a = static_cast<double>(width_a) / std::max(1, pair.a->width),
            .scale_b = static_cast<double>(width_b) / std::max(1, pair.b->width),
            .offset = width_a + kGap,
            .width = width_a + kGap + width_b,
            .height = static_cast<double>(std::max(height_a, height_b))};
  }

  void write_drawing(const MatchedPair& pair) {
    const Drawing at = layout(pair);
    const auto lines = inlier_lines(*pair.a, *pair.b, pair.matches, pair.verification);
    page_.write(fmt::format(
        "<div class=\"drawing\"><svg viewBox=\"0 0 {0:.0f} {1:.0f}\" style=\"max-width:{2:.0f}px\" role=\"img\" "
        "aria-label=\"Both pictures, {3} lines between them\">{4}<svg x=\"{5:.0f}\" width=\"{7}\" height=\"{8}\">{6}",
        at.width, at.height, 1.5 * at.width, lines.size(), page_.picture_svg(pair.pair.a), at.offset,
        page_.picture_svg(pair.pair.b), page_.picture_size(pair.pair.b).first, page_.picture_size(pair.pair.b).second));
    write_outline(pair, at);
    page_.write("</svg><g class=\"lines\">");
    for (const auto& [a, b] : lines) {
      const auto [red, green, blue] = line_colour(a.y / std::max(1, pair.a->height));
      page_.write(fmt::format("<path stroke=\"#{:02x}{:02x}{:02x}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>", red, green,
                              blue, a.x * at.scale_a, a.y * at.scale_a, b.x * at.scale_b + at.offset,
                              b.y * at.scale_b));
    }
    page_.write("</g></svg></div>\n");
  }

  void write_outline(const MatchedPair& pair, const Drawing& at) {
    const auto corners = outline(pair.verification, facts_.model, pair.a->width, pair.a->height);
    if (corners.empty()) return;
    std::string points;
    for (const OverlayPoint& corner : corners)
      points += fmt::format("{:.1f},{:.1f} ", corner.x * at.scale_b, corner.y * at.scale_b);
    page_.write(fmt::format("<polygon class=\"outline\" points=\"{}\"/>", points));
  }

  PicturePage page_;
  MatchFacts facts_;
  std::uint64_t pairs_ = 0, verified_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<MatchesWriter> make_matches_html_writer(OutputFile& out, MatchFacts facts,
                                                        const ThumbnailOptions& thumbnails) {
  return std::make_unique<HtmlWriter>(out, std::move(facts), thumbnails);
}

}  // namespace cbir
