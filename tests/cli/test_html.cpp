#include <cbir/cli/html.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include <cbir/base/file.hpp>
#include <cbir/base/text.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// A JPEG of one colour.
void write_picture(const std::string& path, int width, int height, std::uint8_t grey) {
  Image image(width, height);
  std::ranges::fill(image.data, grey);
  write_file(path, as_text(encode_jpeg(image, 90)), false);
}

std::string page(const TemporaryFolder& folder, const PageFacts& facts, const ThumbnailOptions& options,
                 const std::vector<Ranking>& rankings) {
  OutputFile out(folder / "page.html", true);
  const auto writer = make_html_writer(out, facts, options);
  for (const Ranking& ranking : rankings) writer->write(ranking);
  writer->finish();
  out.commit();
  return read_text(folder / "page.html");
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

const PageFacts kFacts = {
    .index = "x.cbir",
    .encoder = "lite",
    .metric = "cosine",
    .rows = 12345,
    .k = 2,
};

}  // namespace

TEST_CASE("a picture that is shown three times is inlined once") {
  const TemporaryFolder folder;
  write_picture(folder / "a.jpg", 600, 300, 20);
  write_picture(folder / "b.jpg", 50, 80, 200);
  const RankedRow a = {0, 1.0F, folder / "a.jpg", {}}, b = {1, 0.5F, folder / "b.jpg", {}};
  const std::string html = page(folder, kFacts, {},
                                {{.query = a.path, .picture = a.path, .results = {a, b}},
                                 {.query = b.path, .picture = b.path, .results = {b, a}}});
  CHECK(count(html, "data:image/jpeg;base64,") == 2);
  CHECK(count(html, "<use href=\"#p1\"/>") == 2);
  CHECK(count(html, "<use href=\"#p2\"/>") == 2);
  CHECK(count(html, "viewBox=\"0 0 240 120\"") == 3);  // shrunk, aspect kept
  CHECK(count(html, "viewBox=\"0 0 50 80\"") == 3);    // never enlarged
  CHECK(count(html, "12,345") == 1);
}

TEST_CASE("a page names nothing that lies outside it") {
  const TemporaryFolder folder;
  write_picture(folder / "a.jpg", 8, 8, 20);
  const std::string html = page(folder, kFacts, {},
                                {{
                                    .query = "q",
                                    .picture = folder / "a.jpg",
                                }});
  CHECK(count(html, "http://") + count(html, "https://") + count(html, "url(") + count(html, "src=") == 0);
  CHECK(count(html, "default-src 'none'") == 1);
}

TEST_CASE("texts are shown where pictures would be") {
  const TemporaryFolder folder;
  write_picture(folder / "a.jpg", 8, 8, 20);
  const RankedRow caption = {.id = 0, .score = 1, .path = "a <b>caption</b>", .text = true};
  const std::string html =
      page(folder, kFacts, {.root = "/nowhere"},
           {{.query = "snow & ice", .text = true, .results = {caption}},
            {.query = "a caption", .row = 3, .text = true},
            {.query = "a.jpg + snow:-0.5",
             .terms = {{.value = folder / "a.jpg"}, {.value = "snow", .text = true, .weight = -.5}}}});
  CHECK(count(html, "<h2 id=\"t1\" dir=\"auto\">snow &amp; ice</h2>") == 1);
  CHECK(count(html, "<p dir=\"auto\">a &lt;b&gt;caption&lt;/b&gt;</p>") == 1);
  CHECK(count(html, "Query 2, row 3") == 1);
  CHECK(count(html, "<ul class=\"terms\">") == 1);
  CHECK(count(html, "class=\"weight\"") == 1);  // the picture's is 1, which needs no saying
  CHECK(count(html, "data:image/jpeg;base64,") == 1);
  CHECK(count(html, "class=\"unreadable\"") == 0);
  for (const char* heading : {"t1", "t2", "t3"}) CHECK(count(html, fmt::format("id=\"{}\"", heading)) == 1);
}

TEST_CASE("names cannot become markup") {
  const TemporaryFolder folder;
  const std::string name = "<script>alert(1)</script>\"'&\xff.jpg";
  const std::string html = page(
      folder, kFacts, {}, {{.query = name, .picture = name, .row = 0, .label = name, .results = {{0, 1, name, name}}}});
  CHECK(count(html, "<script>") == 1);  // the page's own
  CHECK(is_utf8(html));
}

TEST_CASE("a picture that cannot be read is a box with the reason") {
  const TemporaryFolder folder;
  write_file(folder / "text.jpg", "not a picture", false);
  const std::string html =
      page(folder, kFacts, {},
           {{.query = "0", .results = {{0, 1, folder / "missing.jpg", {}}, {1, 1, folder / "text.jpg", {}}}}});
  CHECK(count(html, "class=\"unreadable\"") == 3);  // the vector that asks has no picture either
  CHECK(count(html, "<span>cannot be opened: No such file or directory</span>") == 1);
  CHECK(count(html, "<span>a vector</span>") == 1);
}

TEST_CASE("--root says where pictures of the index lie, but not those that ask") {
  const TemporaryFolder folder;
  make_directories(folder / "moved");
  write_picture(folder / "moved/a.jpg", 8, 8, 20);
  write_picture(folder / "q.jpg", 8, 8, 200);
  const Ranking by_picture = {.query = "q", .picture = folder / "q.jpg", .results = {{0, 1, "a.jpg", {}}}};
  const Ranking by_row = {.query = "a.jpg", .picture = "a.jpg", .row = 0, .results = {{0, 1, "a.jpg", {}}}};
  const std::string html = page(folder, kFacts, {.root = folder / "moved"}, {by_picture, by_row});
  CHECK(count(html, "data:image/jpeg;base64,") == 2);
  CHECK(count(html, "class=\"unreadable\"") == 0);
}

TEST_CASE("a picture that somebody asks with may lie anywhere, though its name begins with the root's") {
  const TemporaryFolder folder;
  make_directories(folder / "root");
  write_picture(folder / "q.jpg", 8, 8, 200);
  const std::string picture = folder / "root/../q.jpg";
  const std::string asked = page(folder, kFacts, {.root = folder / "root"}, {{.query = picture, .picture = picture}});
  CHECK(count(asked, "data:image/jpeg;base64,") == 1);
  const std::string found =
      page(folder, kFacts, {.root = folder / "root"}, {{.query = "q", .results = {{0, 1, "../q.jpg", {}}}}});
  CHECK(count(found, "data:image/jpeg;base64,") == 0);
}

TEST_CASE("labels are compared only where the query is a row that has one") {
  const TemporaryFolder folder;
  const std::vector<RankedRow> rows = {{0, 1, "church/a.jpg", "church"}, {1, 0.5F, "dog/b.jpg", "dog"}};
  const std::string by_row =
      page(folder, kFacts, {}, {{.query = "church/a.jpg", .row = 0, .label = "church", .results = rows}});
  CHECK(count(by_row, "1 of 2 share its label, <b>church</b>") == 1);
  CHECK(count(by_row, "class=\"label same\"") == 1);
  const std::string by_picture = page(folder, kFacts, {}, {{.query = "church/q.jpg", .results = rows}});
  CHECK(count(by_picture, "share its label") == 0);
  CHECK(count(by_picture, "class=\"label same\"") == 0);
  CHECK(count(by_picture, "class=\"label\"") == 2);
}

TEST_CASE("a query without results says why") {
  const TemporaryFolder folder;
  PageFacts facts = kFacts;
  facts.min_score = 0.9;
  const std::string html = page(folder, facts, {},
                                {{
                                    .query = "0",
                                }});
  CHECK(count(html, "Nothing scores 0.9 or more.") == 1);
}
