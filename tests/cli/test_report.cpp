#include <cbir/cli/report.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include <cbir/base/file.hpp>
#include <cbir/base/random.hpp>
#include <cbir/base/text.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// A JPEG of noise, which does not compress.
void write_noise(const std::string& path, std::uint64_t seed) {
  Image image(160, 160);
  SplitMix64 random(seed);
  std::ranges::generate(image.data, [&] { return static_cast<std::uint8_t>(random()); });
  write_file(path, as_text(encode_jpeg(image, 90)), false);
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

std::string report(const TemporaryFolder& folder, const Scores& scores, const ReportOptions& options) {
  OutputFile out(folder / "page.html", true);
  write_report(out, scores, options);
  out.commit();
  return read_text(folder / "page.html");
}

/// Queries 0.jpg, 1.jpg, ... of rising scores, each of which finds all of them.
Scores everything(const std::string& folder, std::size_t queries) {
  Scores scores{.protocol = "labels", .subject = "all", .measures = {"map"}};
  for (std::size_t i = 0; i < queries; ++i) {
    scores.items.push_back(fmt::format("{}/{}.jpg", folder, i));
    QueryScores query{.query = scores.items.back(),
                      .relevant = queries,
                      .values = {static_cast<double>(i + 1) / static_cast<double>(queries)}};
    for (std::uint32_t item = 0; item < queries; ++item) query.top.push_back({item, item + 1, .5, Mark::relevant});
    scores.queries.push_back(query);
  }
  return scores;
}

}  // namespace

TEST_CASE("a page has the room that it is given: thumbnails get smaller, and then fewer") {
  const TemporaryFolder folder;
  for (int i = 0; i < 12; ++i) write_noise(folder / fmt::format("{}.jpg", i), static_cast<std::uint64_t>(i));
  const Scores scores = everything(folder.path(), 12);
  const auto page = [&](std::uint64_t bytes) {
    return report(folder, scores, {.shown = 100, .bytes = bytes, .bootstrap = {.resamples = 100}});
  };
  const std::string large = page(10'000'000);
  CHECK(count(large, "data:image/jpeg") == 12);
  CHECK(count(large, "viewBox=\"0 0 160 160\"") > 0);
  const std::uint64_t markup = large.size() - 12 * 24'000;

  const std::string small = page(large.size() - 12 * 10'000);
  CHECK(small.size() < large.size() - 12 * 10'000);
  CHECK(count(small, "data:image/jpeg") == 12);
  CHECK(count(small, "viewBox=\"0 0 160 160\"") == 0);

  const std::string tiny = page(std::min<std::uint64_t>(markup, large.size() / 3));
  CHECK(count(tiny, "data:image/jpeg") < 12);
  CHECK(count(tiny, "left out to keep the page small") > 0);
}

TEST_CASE("a table of more queries than fit holds the worst") {
  const TemporaryFolder folder;
  Scores scores = everything("x", 5000);
  for (QueryScores& query : scores.queries) query.top.clear();
  const std::string page = report(folder, scores, {.bytes = 200'000, .bootstrap = {.resamples = 100}});
  CHECK(page.size() < 200'000);
  CHECK(count(page, "of 5,000; --per-query writes all.") == 1);
  CHECK(count(page, "<th scope=\"row\">0.jpg<") == 1);
  CHECK(count(page, "4999.jpg") == 0);
}

TEST_CASE("totals of all queries and those of groups stand apart") {
  const TemporaryFolder folder;
  const Scores scores{
      .protocol = "copies",
      .measures = {"first"},
      .group_kind = "attack",
      .queries = {{.query = "a", .group = "blur", .values = {1}}, {.query = "b", .group = "crop", .values = {0}}},
      .totals = {{"micro_ap", .875}, {"micro_ap", .125, "crop"}, {"threshold@p90", .75, "crop"}}};
  const std::string page = report(folder, scores, {.bootstrap = {.resamples = 100}});
  CHECK(count(page, "<dt>micro_ap</dt><dd>0.8750</dd>") == 1);
  CHECK(count(page, "0.1250") == 1);
  CHECK(count(page, "<td>0.1250<td>0.7500\n") == 1);  // crop's
  CHECK(count(page, "<td>–<td>–\n") == 1);            // blur has none
}

TEST_CASE("the same scores give the same page") {
  const TemporaryFolder folder;
  const Scores scores = everything(folder.path(), 3);
  const ReportOptions options{.bootstrap = {.resamples = 100}};
  CHECK(report(folder, scores, options) == report(folder, scores, options));
}

TEST_CASE("nothing is no reason to fail") {
  const TemporaryFolder folder;
  CHECK(count(report(folder, {.protocol = "labels"}, {}), "<h1>labels</h1>") == 1);
  const Scores one{.protocol = "labels", .measures = {"map"}, .queries = {{.query = "\xff", .values = {kNoValue}}}};
  const std::string page = report(folder, one, {});
  CHECK(is_utf8(page));
  CHECK(count(page, "<td>–") == 1);
}
