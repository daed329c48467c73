#include <cbir/cli/duplicates.hpp>

#include <fmt/format.h>

#include <ctime>

#include <cbir/base/text.hpp>
#include <cbir/cli/ranking.hpp>

#include "picture_page.hpp"

namespace cbir {
namespace {

/// "2024-05-17", of nanoseconds since 1970, UTC.
std::string date(std::int64_t nanoseconds) {
  const auto seconds = static_cast<std::time_t>(nanoseconds / 1'000'000'000 - (nanoseconds % 1'000'000'000 < 0));
  std::tm time{};
  if (!gmtime_r(&seconds, &time)) return "";
  return fmt::format("{}-{:02}-{:02}", time.tm_year + 1900, time.tm_mon + 1, time.tm_mday);
}

/// Size in pixels and bytes, and date of the file, as far as known, as HTML.
std::string file_facts(const RowInfo& info) {
  std::string text;
  const auto add = [&](const std::string& fact) {
    text += fmt::format("{}<span class=\"fact\">{}</span>", text.empty() ? "" : " · ", fact);
  };
  if (info.width && info.height) add(fmt::format("{} × {}", *info.width, *info.height));
  if (info.bytes) add(human_bytes(*info.bytes));
  if (info.mtime) add(date(*info.mtime));
  return text;
}

class HtmlWriter final : public DuplicatesWriter {
 public:
  HtmlWriter(OutputFile& out, const DuplicatesFacts& facts, const ThumbnailOptions& thumbnails)
      : page_(out, thumbnails), facts_(facts) {}

  void write(const DuplicateGroup& group) override {
    begin();
    ++groups_;
    std::vector<std::string> files;
    for (const DuplicateRow& row : group.rows)
      if (!row.info.text) files.push_back(page_.below_root(row.info.picture_path()));
    page_.prepare(files);
    page_.write(
        fmt::format("<section class=\"query\" id=\"g{0}\" tabindex=\"-1\" aria-labelledby=\"t{0}\">\n", groups_));
    write_kept(group);
    page_.write("<ol class=\"results\">\n");
    for (std::size_t i = 1; i < group.rows.size(); ++i) write_duplicate(group.rows[i], i);
    page_.write("</ol>\n</section>\n");
  }

  void finish() override {
    begin();
    if (groups_ == 0) page_.write("<p class=\"nothing\">No pair of pictures is that similar.</p>\n");
    page_.finish(
        fmt::format("{} groups, {} duplicates", grouped(facts_.groups), grouped(facts_.duplicates)),
        "<kbd>j</kbd> <kbd>k</kbd> next, previous group · <kbd>Tab</kbd> into the duplicates, arrow keys among "
        "them");
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    PicturePage::Facts facts = {{"In", html_escape(facts_.subject)}};
    if (!facts_.against.empty()) facts.emplace_back("Against", html_escape(facts_.against));
    facts.emplace_back("Rows", grouped(facts_.rows));
    facts.emplace_back("Groups", grouped(facts_.groups));
    facts.emplace_back("Duplicates", grouped(facts_.duplicates));
    facts.emplace_back("Encoder", facts_.encoder.empty() ? "not named" : html_escape(facts_.encoder));
    facts.emplace_back("Threshold", fmt::format("{}, {}", facts_.threshold, to_string(facts_.metric)));
    page_.begin("Near-duplicates", facts_.subject, facts, "group", "g1");
  }

  void write_picture(const DuplicateRow& row, const std::string& what) {
    page_.write("<div class=\"frame\">");
    if (row.info.text) page_.write_words(row.info.path, "");
    else page_.write_picture(page_.below_root(row.info.picture_path()), what + ", " + html_escape(row.info.path));
    page_.write("</div>\n");
  }

  void write_kept(const DuplicateGroup& group) {
    const DuplicateRow& kept = group.rows.front();
    page_.write("<div class=\"asked\">\n");
    write_picture(kept, "Kept");
    page_.write(fmt::format(
        "<p class=\"number\"><a href=\"#g{0}\">Group {0}</a>, {1} duplicate{2}</p>\n<h2 id=\"t{0}\">{3}</h2>\n"
        "<p class=\"note\"><span class=\"label same\">keep</span> {4}</p>\n"
        "<p class=\"note\">least score <b title=\"{5}\">{6:.4f}</b></p>\n</div>\n",
        groups_, grouped(group.rows.size() - 1), group.rows.size() > 2 ? "s" : "", path_html(kept.info.path),
        file_facts(kept.info), format_score(group.least), group.least));
  }

  void write_duplicate(const DuplicateRow& row, std::size_t number) {
    const std::string name = html_escape(row.info.path);
    // One card of a list is a stop of the Tab key; the script moves it.
    page_.write(fmt::format("<li class=\"card\" tabindex=\"{}\">\n", number == 1 ? 0 : -1));
    write_picture(row, fmt::format("Duplicate {}", number));
    page_.write(
        fmt::format("<div class=\"about\">\n<div class=\"line\"><span class=\"rank\"><span class=\"hidden\">Duplicate "
                    "</span>{}</span><span class=\"score\" title=\"score {}\">{:.4f}</span></div>\n",
                    number, format_score(row.score), row.score));
    if (!row.info.text)
      page_.write(fmt::format("<div class=\"path\" title=\"{}\">{}</div>\n", name, path_html(row.info.path)));
    if (const std::string facts = file_facts(row.info); !facts.empty())
      page_.write(fmt::format("<div class=\"note\">{}</div>\n", facts));
    page_.write("</div>\n</li>\n");
  }

  PicturePage page_;
  const DuplicatesFacts facts_;
  std::uint64_t groups_ = 0;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<DuplicatesWriter> make_duplicates_html_writer(OutputFile& out, const DuplicatesFacts& facts,
                                                              const ThumbnailOptions& thumbnails) {
  return std::make_unique<HtmlWriter>(out, facts, thumbnails);
}

}  // namespace cbir
