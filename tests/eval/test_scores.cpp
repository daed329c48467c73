#include <cbir/eval/scores.hpp>

#include <cmath>
#include <fstream>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/base/random.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

/// Two cats, a dog and a query of no group; the second measure is not there for all.
Scores example() {
  return {.protocol = "labels",
          .subject = "photos.cbir",
          .measures = {"map", "first"},
          .group_kind = "class",
          .queries = {{.query = "a.jpg", .group = "cat 10", .relevant = 3, .values = {.5, 1}},
                      {.query = "b.jpg", .group = "cat 9", .relevant = 2, .values = {.25, kNoValue}},
                      {.query = "c\\td.jpg", .group = "cat 10", .relevant = 1, .values = {.75, 0}}},
          .totals = {{"micro_ap", .125}, {"threshold", kNoValue}},
          .counts = {{"rows", 7}}};
}

/// As many queries as wanted, with random values of 15 measures.
Scores random_scores(std::size_t queries) {
  Scores scores{.protocol = "labels", .measures = {}};
  for (int m = 0; m < 15; ++m) scores.measures.push_back("m" + std::to_string(m));
  SplitMix64 random(3);
  for (std::size_t q = 0; q < queries; ++q) {
    scores.queries.push_back({.query = std::to_string(q), .values = {}});
    for (int m = 0; m < 15; ++m)
      scores.queries.back().values.push_back(static_cast<double>(random.below(1'000'001)) / 1e6);
  }
  return scores;
}

/// The message of the error that reading `text` gives.
template <typename Expected>
std::string refusal(const std::string& text) {
  try {
    parse_scores(text, "x.jsonl");
  } catch (const Expected& error) {
    return error.what();
  }
  return "nothing was wrong with it";
}

}  // namespace

TEST_CASE("Means are over the queries that have a value") {
  const auto all = means(example());
  CHECK(all[0].value == .5);
  CHECK(all[0].queries == 3);
  CHECK(all[1].value == .5);
  CHECK(all[1].queries == 2);
}

TEST_CASE("Means of groups come in natural order") {
  const auto groups = group_means(example());
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].first == "cat 9");
  CHECK(groups[0].second[0].value == .25);
  CHECK(groups[0].second[1].queries == 0);
  CHECK(std::isnan(groups[0].second[1].value));
  CHECK(groups[1].first == "cat 10");
  CHECK(groups[1].second[0].value == .625);
}

TEST_CASE("A measure is found by name, or the message says what there is") {
  CHECK(example().measure("first") == 1);
  CHECK_THROWS_WITH(example().measure("last"), "no measure is named 'last'; there are map, first");
}

TEST_CASE("TSV: means, totals, counts, then groups; what nobody has is left out") {
  CHECK(to_tsv(example(), {}) == "map\t0.500000\nfirst\t0.500000\nmicro_ap\t0.125000\nqueries\t3\nrows\t7\n");
  const std::vector<Interval> intervals{{.25, .75}, {0, 1}};
  CHECK(to_tsv(example(), {.groups = true, .intervals = &intervals}) ==
        "map\t0.500000\nmap_low\t0.250000\nmap_high\t0.750000\nfirst\t0.500000\nfirst_low\t0.000000\n"
        "first_high\t1.000000\nmicro_ap\t0.125000\nqueries\t3\nrows\t7\n"
        "map\tcat 9\t0.250000\nqueries\tcat 9\t1\n"
        "map\tcat 10\t0.625000\nfirst\tcat 10\t0.500000\nqueries\tcat 10\t2\n");
}

TEST_CASE("JSON has the names of the table") {
  CHECK(to_json(example(), {.groups = true}) ==
        R"({"map":0.5,"first":0.5,"micro_ap":0.125,"queries":3,"rows":7,"per_class":[{"class":"cat 9","map":0.25,)"
        R"("queries":1},{"class":"cat 10","map":0.625,"first":0.5,"queries":2}]})"
        "\n");
}

TEST_CASE("Totals and counts of a group stand with its means, and last in a file") {
  Scores scores = example();
  scores.totals.push_back({"micro_ap", .75, "cat 9"});
  scores.counts.push_back({"first_count", 4, "cat 9"});
  CHECK(to_tsv(scores, {}) == to_tsv(example(), {}));
  CHECK_THAT(to_tsv(scores, {.groups = true}),
             ContainsSubstring("map\tcat 9\t0.250000\nmicro_ap\tcat 9\t0.750000\nqueries\tcat 9\t1\n"
                               "first_count\tcat 9\t4\nmap\tcat 10"));
  const Scores back = parse_scores(to_json_lines(scores), "x.jsonl");
  CHECK(to_json_lines(back) == to_json_lines(scores));
  CHECK(back.totals.back().group == "cat 9");
  CHECK(back.counts.back().value == 4);
  std::string text = to_json_lines(scores);
  text.replace(text.find(",0.75]"), 6, "]");
  CHECK_THAT(refusal<DamagedFile>(text), ContainsSubstring("\"group_totals\" must be lists of group, name and value"));
}

TEST_CASE("Names of groups that need escaping") {
  Scores scores{.protocol = "labels", .measures = {"map"}, .group_kind = "class"};
  scores.queries = {{.query = "q", .group = "a\tb\xff", .values = {.5}}};
  CHECK(to_tsv(scores, {.groups = true}).ends_with("map\ta\\tb\\xff\t0.500000\nqueries\ta\\tb\\xff\t1\n"));
  CHECK_THAT(to_json(scores, {.groups = true}), ContainsSubstring(R"("per_class":[{"class":"a\\tb\\xff","map":0.5)"));
}

TEST_CASE("The table of queries has a line of names, and - for no value") {
  CHECK(per_query_tsv(example()) ==
        "query\tgroup\trelevant\tmap\tfirst\n"
        "a.jpg\tcat 10\t3\t0.500000\t1.000000\n"
        "b.jpg\tcat 9\t2\t0.250000\t-\n"
        "c\\\\td.jpg\tcat 10\t1\t0.750000\t0.000000\n");
}

TEST_CASE("A file of scores gives back all that there was") {
  Scores scores = example();
  scores.queries[0].values[0] = 1.0 / 3;
  scores.queries[0].top = {{.item = 1, .rank = 1, .score = .9, .mark = Mark::relevant},
                           {.item = 0, .rank = 2, .score = .1, .mark = Mark::junk}};
  scores.queries[0].missed = {{.item = 2, .rank = JudgedItem::kUnranked, .score = 0, .mark = Mark::relevant}};
  scores.queries[1].query = "not UTF-8: \xff";
  scores.queries[2].group = "new\nline \xfe";
  scores.remarks = {"one", "two"};
  scores.items = {"x", "y \xff", "\"z\""};
  scores.precision_at = {1, .5};
  scores.distribution = {.low = -1, .high = 1, .relevant = {0, 3}, .irrelevant = {5, 1}};
  const std::string text = to_json_lines(scores);
  const TemporaryFolder folder;
  write_file(folder / "scores.jsonl", text, false);
  const Scores found = read_scores(folder / "scores.jsonl");
  CHECK(to_json_lines(found) == text);
  CHECK(found.subject == "photos.cbir");
  CHECK(found.queries[0].values[0] == 1.0 / 3);
  CHECK(std::isnan(found.queries[1].values[1]));
  CHECK(found.queries[0].top[1].mark == Mark::junk);
  CHECK(found.queries[0].missed[0].rank == JudgedItem::kUnranked);
  CHECK(found.queries[1].query == "not UTF-8: \xff");
  CHECK(found.queries[2].group == "new\nline \xfe");
  CHECK(found.items[1] == "y \xff");
  CHECK(found.distribution->irrelevant[0] == 5);
  CHECK(found.totals[0].value == .125);
  CHECK(found.counts[0].value == 7);
}

TEST_CASE("A damaged file of scores names the line") {
  const std::string head = R"({"format":"cbir scores","version":1,"protocol":"p","measures":["m"],"queries":1,)"
                           R"("items":["x"]})"
                           "\n";
  const auto wrong = [&](const std::string& line) { return refusal<DamagedFile>(head + line + "\n"); };
  CHECK_THAT(wrong(R"({"query":"a","relevant":1,"values":[1)"), ContainsSubstring("line 2: no well-formed JSON found"));
  CHECK_THAT(wrong(R"({"relevant":1,"values":[1]})"), ContainsSubstring("line 2: no \"query\""));
  CHECK_THAT(wrong(R"({"query":"a","relevant":1})"), ContainsSubstring("line 2: no \"values\""));
  CHECK_THAT(wrong(R"({"query":"a","relevant":-1,"values":[1]})"), ContainsSubstring("line 2: \"relevant\" must be"));
  CHECK_THAT(wrong(R"({"query":"a","relevant":1,"values":[1,2]})"), ContainsSubstring("line 2: 2 values; expected 1"));
  CHECK_THAT(wrong(R"({"query":"a","relevant":1,"values":["1"]})"), ContainsSubstring("\"values\" must be a number"));
  for (const char* item : {"[1,1,0,0]", "[0,1,0,2]", "[0,1,0]", "[0,-1,0,0]", "3"})
    CHECK_THAT(wrong(R"({"query":"a","relevant":1,"values":[1],"top":[)" + std::string(item) + "]}"),
               ContainsSubstring("line 2: \"top\" must be a list of [item below 1, rank, score, mark"));
  CHECK_THAT(refusal<DamagedFile>(head), ContainsSubstring("was the file cut short?"));
  CHECK_THAT(refusal<DamagedFile>("{\n"), ContainsSubstring("line 1: no well-formed JSON"));
  CHECK_THAT(refusal<DamagedFile>(R"({"format":"cbir scores","version":1,"protocol":"p","measures":1,"queries":0})"),
             ContainsSubstring("line 1: \"measures\" must be a list"));
  CHECK_THAT(refusal<DamagedFile>(R"({"format":"cbir scores","version":1,"protocol":"p","measures":[],"queries":0,)"
                                  R"("items":[{"b64":"?"}]})"),
             ContainsSubstring("line 1: \"items\": "));
  CHECK_THAT(refusal<DamagedFile>(R"({"format":"cbir scores","version":1,"protocol":"p","measures":[],"queries":0,)"
                                  R"("distribution":{"low":1,"high":0,"relevant":[],"irrelevant":[]}})"),
             ContainsSubstring("line 1: \"distribution\" must have"));
}

TEST_CASE("What is no file of scores, or of a newer version, is refused") {
  CHECK_THAT(refusal<Incompatible>("{}\n"), ContainsSubstring("not a file of scores"));
  CHECK_THAT(refusal<Incompatible>(R"({"format":"cbir scores","version":2})"), ContainsSubstring("version 2"));
  CHECK_THAT(refusal<MissingInput>(""), ContainsSubstring("is empty"));
  CHECK_THROWS_AS(read_scores("nothing.jsonl"), MissingInput);
}

TEST_CASE("Intervals of the mean agree with the normal approximation where there are many queries") {
  const Scores scores = random_scores(2000);
  const auto intervals = bootstrap_intervals(scores, {.resamples = 4000});
  const auto all = means(scores);
  for (std::size_t m = 0; m < 15; ++m) {
    double squares = 0;
    for (const QueryScores& query : scores.queries) squares += std::pow(query.values[m] - all[m].value, 2);
    const double error = std::sqrt(squares / 2000 / 2000);
    CHECK(intervals[m].low == Approx(all[m].value - 1.96 * error).margin(.1 * error));
    CHECK(intervals[m].high == Approx(all[m].value + 1.96 * error).margin(.1 * error));
  }
}

TEST_CASE("Intervals are the same for any number of threads, and others for another seed") {
  const Scores scores = random_scores(50);
  const auto run = [&](std::size_t threads, std::uint64_t seed) {
    const ThreadLimit limit(threads);
    std::vector<double> ends;
    for (const Interval& each : bootstrap_intervals(scores, {.resamples = 500, .seed = seed})) {
      ends.push_back(each.low);
      ends.push_back(each.high);
    }
    return ends;
  };
  CHECK(run(1, 1) == run(4, 1));
  CHECK(run(2, 1) != run(2, 2));
}

TEST_CASE("Intervals: a measure's resamples are of those that have it, and nobody's has none") {
  Scores scores{.protocol = "p", .measures = {"constant", "some", "none"}};
  for (int q = 0; q < 20; ++q)
    scores.queries.push_back({.query = "q", .values = {.5, q < 10 ? 1 : kNoValue, kNoValue}});
  const auto intervals = bootstrap_intervals(scores, {.resamples = 100});
  CHECK(intervals[0].low == .5);
  CHECK(intervals[0].high == .5);
  CHECK(intervals[1].low == 1);
  CHECK(intervals[1].high == 1);
  CHECK(std::isnan(intervals[2].low));
  CHECK_THROWS_AS(bootstrap_intervals(scores, {.resamples = 0}), UsageError);
  CHECK_THROWS_AS(bootstrap_intervals(scores, {.confidence = 1}), UsageError);
}
