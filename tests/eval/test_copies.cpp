#include <cbir/eval/copies.hpp>

#include <algorithm>

#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/base/hash.hpp>
#include <cbir/base/parallel.hpp>
#include <cbir/store/npy.hpp>
#include <cbir/store/rows.hpp>
#include <cbir/store/set.hpp>
#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

const std::vector<CopyTruth> kTruth = {{"birds/owl.png.crop.jpg", "stamps/birds/owl.png", "crop"},
                                       {"birds/emu.png.mirror.jpg", "stamps/birds/emu.png", "mirror"},
                                       {"cats/tom.png.crop.jpg", "stamps/cats/tom.png", "crop"}};

/// A ranking whose scores fall from .9 in hundredths.
RankedQuery ranked(std::string query, std::vector<std::string> results) {
  RankedQuery ranking{std::move(query), std::move(results), {}};
  for (std::size_t i = 0; i < ranking.results.size(); ++i) ranking.scores.push_back((90.0 - double(i)) / 100);
  return ranking;
}

/// `count` others, then this one.
std::vector<std::string> after(std::size_t count, std::string last) {
  std::vector<std::string> results(count, "stamps/other.png");
  results.push_back(std::move(last));
  return results;
}

double mean(const Scores& scores, const char* measure) { return means(scores)[scores.measure(measure)].value; }

double total(const Scores& scores, const char* name, const std::string& group = "") {
  for (const Total& each : scores.totals)
    if (each.name == name && each.group == group) return each.value;
  return -1;
}

std::uint64_t count(const Scores& scores, const char* name, const std::string& group = "") {
  for (const Count& each : scores.counts)
    if (each.name == name && each.group == group) return each.value;
  return UINT64_MAX;
}

}  // namespace

TEST_CASE("Copies: one right answer each, in all and by attack") {
  const Scores scores =
      evaluate_copies(kTruth, {ranked("copies/birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}),
                               ranked("copies/birds/emu.png.mirror.jpg", after(3, "stamps/birds/emu.png")),
                               ranked("copies/cats/tom.png.crop.jpg", after(15, "stamps/cats/tom.png"))});
  CHECK(scores.queries.size() == 3);
  CHECK(count(scores, "first_count") == 1);
  CHECK(mean(scores, "first") == Approx(1.0 / 3));
  CHECK(mean(scores, "mrr") == Approx((1 + 1.0 / 4 + 1.0 / 16) / 3));
  CHECK(mean(scores, "r@10") == Approx(2.0 / 3));
  const auto groups = group_means(scores);
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].first == "crop");
  CHECK(groups[0].second[0].queries == 2);
  CHECK(groups[0].second[0].value == .5);
  CHECK(count(scores, "first_count", "crop") == 1);
  CHECK(groups[1].second[1].value == .25);
  CHECK(scores.remarks.empty());
}

TEST_CASE("Copies: the micro-average takes the pairs of all queries by score") {
  // Scores  .9 right   .8 wrong   .7 right   .6 wrong   .5 right
  const std::vector<RankedQuery> ranking = {
      {"birds/owl.png.crop.jpg", {"stamps/birds/owl.png", "stamps/other.png"}, {.9, .6}},
      {"birds/emu.png.mirror.jpg", {"stamps/other.png", "stamps/birds/emu.png"}, {.8, .5}},
      {"cats/tom.png.crop.jpg", {"stamps/cats/tom.png"}, {.7}}};
  const Scores scores = evaluate_copies(kTruth, ranking);
  CHECK(total(scores, "micro_ap") == Approx((1.0 + 2.0 / 3 + 3.0 / 5) / 3));
  CHECK(total(scores, "recall@p90") == Approx(1.0 / 3));
  CHECK(total(scores, "threshold@p90") == .9);
  CHECK(total(scores, "micro_ap", "crop") == 1);  // its pairs alone: .9 and .7 right, .6 wrong
  CHECK(total(scores, "threshold@p90", "crop") == .7);
  CHECK(total(scores, "micro_ap", "mirror") == .5);
  CHECK(total(scores, "recall@p90", "mirror") == 0);
  CHECK(total(scores, "threshold@p90", "mirror") == -1);  // no score gives it
}

TEST_CASE("Copies: pairs of equal score are one step, in whatever order they come") {
  const std::vector<CopyTruth> truth = {kTruth[0], kTruth[1]};
  const std::vector<RankedQuery> ranking = {
      {"birds/owl.png.crop.jpg", {"stamps/birds/owl.png", "stamps/other.png"}, {.5, .5}},
      {"birds/emu.png.mirror.jpg", {"stamps/other.png", "stamps/birds/emu.png"}, {.5, .5}}};
  CHECK(total(evaluate_copies(truth, ranking), "micro_ap") == .5);
  CHECK(total(evaluate_copies({truth[1], truth[0]}, {ranking[1], ranking[0]}), "micro_ap") == .5);
}

TEST_CASE("Copies: an original that was never retrieved takes from recall") {
  const Scores scores = evaluate_copies(kTruth, {ranked("birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}),
                                                 ranked("birds/emu.png.mirror.jpg", {"stamps/other.png"}),
                                                 ranked("cats/tom.png.crop.jpg", {"stamps/other.png"})});
  CHECK(total(scores, "micro_ap") == Approx((1.0 / 3) / 3));  // found at .9 with two wrong ones
  CHECK(total(scores, "recall@p90") == 0);
}

TEST_CASE("Copies: all that a distractor finds is wrong, and it has no rank to speak of") {
  const std::vector<CopyTruth> truth = {kTruth[0], {"cats/jim.png.crop.jpg", "", "crop"}};
  const Scores scores =
      evaluate_copies(truth, {{"birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}, {.7}},
                              {"cats/jim.png.crop.jpg", {"stamps/other.png", "stamps/birds/owl.png"}, {.8, .6}}});
  CHECK(mean(scores, "first") == 1);
  CHECK(means(scores)[0].queries == 1);
  CHECK(count(scores, "distractors") == 1);
  CHECK(scores.queries[1].relevant == 0);
  CHECK(total(scores, "micro_ap") == .5);
  CHECK(scores.remarks == std::vector<std::string>{"no ranking holds more than 2 results: r@10 counts those alone"});
}

TEST_CASE("Copies: a distractor that finds its own picture is told") {
  const std::vector<CopyTruth> truth = {kTruth[0], {"cats/jim.png.crop-strong.jpg", "", "crop:strong"}};
  const Scores scores = evaluate_copies(truth, {ranked("birds/owl.png.crop.jpg", after(10, "stamps/birds/owl.png")),
                                                ranked("cats/jim.png.crop-strong.jpg", {"stamps/cats/jim.png"})});
  REQUIRE(scores.remarks.size() == 1);
  CHECK(scores.remarks[0] ==
        "1 distractor finds a picture of its name, which counts as wrong; a distractor's picture must not be indexed "
        "(database.txt lists those that may be)");
}

TEST_CASE("Copies: distractors alone have nothing to find") {
  CHECK_THROWS_AS(evaluate_copies({{"a.jpg", "", "crop"}}, {ranked("a.jpg", {"x"})}), MissingInput);
}

TEST_CASE("Copies: a second result of the original's name is junk") {
  const Scores scores = evaluate_copies(
      {kTruth[0]}, {{"birds/owl.png.crop.jpg", {"a/stamps/birds/owl.png", "b/stamps/birds/owl.png"}, {.9, .8}}},
      {.top = 5});
  CHECK(total(scores, "micro_ap") == 1);
  REQUIRE(scores.queries[0].top.size() == 2);
  CHECK(scores.queries[0].top[0].mark == Mark::relevant);
  CHECK(scores.queries[0].top[1].mark == Mark::junk);
}

TEST_CASE("Copies: only whole components of a path agree") {
  const std::vector<CopyTruth> truth = {{"a.jpg", "x/owl.png", "crop"}};
  const auto first = [&](const std::string& result) {
    return count(evaluate_copies(truth, {ranked("./a.jpg", {result})}), "first_count");
  };
  CHECK(first("x/owl.png") == 1);
  CHECK(first("./x/owl.png") == 1);
  CHECK(first("/data/x/owl.png") == 1);
  CHECK(first("/data/xx/owl.png") == 0);
  CHECK(first("ax/owl.png") == 0);
  CHECK(first("owl.png") == 0);
}

TEST_CASE("Copies: a query is the longest copy that its path ends in") {
  const std::vector<CopyTruth> truth = {{"a.jpg", "one.png", "crop"}, {"x/a.jpg", "two.png", "crop"}};
  const Scores scores = evaluate_copies(truth, {ranked("out/x/a.jpg", {"two.png"}), ranked("out/a.jpg", {"one.png"})});
  CHECK(count(scores, "first_count") == 2);
}

TEST_CASE("Copies: missing and unknown queries are told") {
  const Scores scores =
      evaluate_copies(kTruth, {ranked("birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}), ranked("what.jpg", {"x"})});
  CHECK(count(scores, "queries_missing") == 2);
  CHECK(count(scores, "queries_unknown") == 1);
  CHECK(mean(scores, "first") == Approx(1.0 / 3));
  CHECK(total(scores, "micro_ap") == Approx(1.0 / 3));
  REQUIRE(scores.remarks.size() == 3);
  CHECK(scores.remarks[0] ==
        "2 copies of the manifest have no ranking and count as not found: birds/emu.png.mirror.jpg, "
        "cats/tom.png.crop.jpg");
  CHECK(scores.remarks[1] == "1 query that the manifest does not name is left out");
  CHECK(scores.remarks[2] == "no ranking holds more than 1 result: r@10 counts that alone");
}

TEST_CASE("Copies: a ranking of other queries, or of one copy twice, is refused") {
  CHECK_THROWS_AS(evaluate_copies(kTruth, {ranked("what.jpg", {"x"})}), Incompatible);
  CHECK_THROWS_AS(
      evaluate_copies(kTruth, {ranked("a/cats/tom.png.crop.jpg", {"x"}), ranked("b/cats/tom.png.crop.jpg", {"x"})}),
      Incompatible);
}

TEST_CASE("Copies: originals under other paths give a hint") {
  const Scores scores = evaluate_copies(kTruth, {ranked("birds/owl.png.crop.jpg", after(12, "elsewhere/owl.png"))});
  CHECK(scores.remarks.back() ==
        "no original stands in the ranking of its copy; were the originals indexed under other paths?");
}

TEST_CASE("Copies: a manifest is read with its escapes, more columns ignored, distractors without an original") {
  const auto truth = parse_copy_manifest("a\\tb.jpg\tx.png\tcrop+mirror\t1\n\nc.jpg\t\tcrop\n", "m");
  REQUIRE(truth.size() == 2);
  CHECK(truth[0].copy == "a\tb.jpg");
  CHECK(truth[0].attack == "crop+mirror");
  CHECK(truth[1].original.empty());
  CHECK_THROWS_AS(parse_copy_manifest("", "m"), MissingInput);
  CHECK_THROWS_AS(parse_copy_manifest("a.jpg\tb.png\n", "m"), DamagedFile);
  CHECK_THROWS_AS(parse_copy_manifest("a\tb\tcrop\na\tc\tcrop\n", "m"), DamagedFile);
}

TEST_CASE("Copies: scores as text, with those of each attack") {
  const Scores scores = evaluate_copies(
      {kTruth[0]}, {{"birds/owl.png.crop.jpg", {"stamps/other.png", "stamps/birds/owl.png"}, {.75, .5}}});
  CHECK(to_tsv(scores, {.groups = true}) ==
        "first\t0.000000\nmrr\t0.500000\nr@10\t1.000000\nmicro_ap\t0.500000\nrecall@p90\t0.000000\nqueries\t1\n"
        "first_count\t0\ndistractors\t0\nqueries_missing\t0\nqueries_unknown\t0\n"
        "first\tcrop\t0.000000\nmrr\tcrop\t0.500000\nr@10\tcrop\t1.000000\nmicro_ap\tcrop\t0.500000\n"
        "recall@p90\tcrop\t0.000000\nqueries\tcrop\t1\nfirst_count\tcrop\t0\n");
}

namespace {

/// A set of vectors with these paths.
std::string write_set(const TemporaryFolder& folder, const std::string& name, std::vector<float> values,
                      const std::vector<std::string>& paths) {
  std::string npy = npy_header(Dtype::float32, paths.size(), values.size() / paths.size());
  npy.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  std::string lines;
  for (const std::string& path : paths) lines += to_json_line(RowInfo{.path = path}) + '\n';
  Manifest manifest{.rows = paths.size(), .dim = values.size() / paths.size(), .metric = "dot"};
  manifest.normalization = "none";
  manifest.npy_xxh3 = hex(xxh3(as_bytes(npy)));
  manifest.rows_xxh3 = hex(xxh3(as_bytes(lines)));
  write_file(folder / (name + ".npy"), npy, false);
  write_file(folder / (name + ".rows.jsonl"), lines, false);
  write_file(folder / (name + ".json"), to_json(manifest), false);
  return folder / name;
}

}  // namespace

TEST_CASE("Copies: a search finds the ranks and pairs itself, on any number of threads") {
  const TemporaryFolder folder;
  // One number each, so that a score is a product: the copy of owl finds emu first, that of emu is right.
  const std::string database =
      write_set(folder, "database", {1, 3, 2, -1},
                {"stamps/birds/owl.png", "stamps/birds/emu.png", "stamps/cats/tom.png", "stamps/other.png"});
  const std::string queries = write_set(
      folder, "queries", {1, 2, -1, 1},
      {"out/birds/owl.png.crop.jpg", "out/birds/emu.png.mirror.jpg", "out/cats/tom.png.crop.jpg", "out/stray.jpg"});
  for (const std::size_t threads : {1U, 2U, 4U}) {
    const ThreadLimit limit(threads);
    const Scores scores = evaluate_copies(
        kTruth, CopySearch{.database = database, .queries = queries, .details = {.top = 2, .curves = true}});
    CHECK(mean(scores, "mrr") == Approx((1.0 / 3 + 1 + 1.0 / 3) / 3));
    CHECK(count(scores, "queries_unknown") == 1);
    CHECK(count(scores, "first_count") == 1);
    // Pairs by score: 6 right, 4 wrong, 3 wrong, 2 2 wrong, 1 right and 1 wrong, -1 -1 wrong, -2 right and -2 wrong, -3
    CHECK(total(scores, "micro_ap") == Approx((1 + 2.0 / 7 + 3.0 / 11) / 3));
    CHECK(total(scores, "threshold@p90") == 6);
    REQUIRE(scores.queries[0].top.size() == 2);
    CHECK(scores.items[scores.queries[0].top[0].item] == "stamps/birds/emu.png");
    REQUIRE(scores.queries[0].missed.size() == 1);
    CHECK(scores.items[scores.queries[0].missed[0].item] == "stamps/birds/owl.png");
    CHECK(scores.queries[0].missed[0].rank == 3);
    CHECK(scores.precision_at.size() == 101);
    CHECK(scores.precision_at.front() == 1);
    REQUIRE(scores.distribution);
    CHECK(std::ranges::count_if(scores.distribution->relevant, [](std::uint64_t n) { return n > 0; }) == 3);
  }
}

TEST_CASE("Copies: a search tells originals that the database lacks, and distractors whose pictures it has") {
  const TemporaryFolder folder;
  const std::string database = write_set(folder, "database", {1, 2}, {"stamps/birds/owl.png", "stamps/cats/jim.png"});
  const std::string queries = write_set(
      folder, "queries", {1, 1, 1}, {"birds/owl.png.crop.jpg", "birds/emu.png.mirror.jpg", "cats/jim.png.crop.jpg"});
  const Scores scores = evaluate_copies({kTruth[0], kTruth[1], {"cats/jim.png.crop.jpg", "", "crop"}},
                                        CopySearch{.database = database, .queries = queries, .details = {.top = 1}});
  CHECK(mean(scores, "mrr") == Approx(.5 / 2));
  CHECK(total(scores, "micro_ap") == Approx((1.0 / 6) / 2));
  CHECK(scores.items[scores.queries[1].missed.at(0).item] == "stamps/birds/emu.png");
  CHECK(scores.queries[1].missed.at(0).rank == JudgedItem::kUnranked);
  REQUIRE(scores.remarks.size() == 1);
  CHECK(scores.remarks[0].starts_with("1 distractor finds a picture of its name"));
}
