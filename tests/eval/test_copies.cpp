#include <cbir/eval/copies.hpp>

#include <cbir/base/error.hpp>
#include <cbir/eval/report.hpp>
#include <tests/catch.hpp>

namespace {

const std::vector<cbir::CopyTruth> kTruth = {{"birds/owl.png.crop.jpg", "stamps/birds/owl.png", "crop"},
                                             {"birds/emu.png.mirror.jpg", "stamps/birds/emu.png", "mirror"},
                                             {"cats/tom.png.crop.jpg", "stamps/cats/tom.png", "crop"}};

std::vector<std::string> filler(std::size_t count, std::string last) {
  std::vector<std::string> results(count, "stamps/other.png");
  results.push_back(std::move(last));
  return results;
}

}  // namespace

TEST_CASE("Copies: one right answer each, in all and by attack") {
  const auto report =
      cbir::evaluate_copies(kTruth, {{"copies/birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}},
                                     {"copies/birds/emu.png.mirror.jpg", filler(3, "stamps/birds/emu.png")},
                                     {"copies/cats/tom.png.crop.jpg", filler(15, "stamps/cats/tom.png")}});
  CHECK(report.all.queries == 3);
  CHECK(report.all.first_count == 1);
  CHECK(report.all.first == Approx(1.0 / 3));
  CHECK(report.all.mrr == Approx((1 + 1.0 / 4 + 1.0 / 16) / 3));
  CHECK(report.all.recall_10 == Approx(2.0 / 3));
  REQUIRE(report.per_attack.size() == 2);
  CHECK(report.per_attack[0].first == "crop");
  CHECK(report.per_attack[0].second.queries == 2);
  CHECK(report.per_attack[0].second.first == 0.5);
  CHECK(report.per_attack[1].second.mrr == 0.25);
  CHECK(cbir::remarks(report).empty());
}

TEST_CASE("Only whole components of a path agree") {
  const std::vector<cbir::CopyTruth> truth = {{"a.jpg", "x/owl.png", "crop"}};
  const auto first = [&](const std::string& result) {
    return cbir::evaluate_copies(truth, {{"./a.jpg", {result}}}).all.first_count;
  };
  CHECK(first("x/owl.png") == 1);
  CHECK(first("./x/owl.png") == 1);
  CHECK(first("/data/x/owl.png") == 1);
  CHECK(first("/data/xx/owl.png") == 0);
  CHECK(first("ax/owl.png") == 0);
  CHECK(first("owl.png") == 0);
}

TEST_CASE("A query is the longest copy that its path ends in") {
  const std::vector<cbir::CopyTruth> truth = {{"a.jpg", "one.png", "crop"}, {"x/a.jpg", "two.png", "crop"}};
  const auto report = cbir::evaluate_copies(truth, {{"out/x/a.jpg", {"two.png"}}, {"out/a.jpg", {"one.png"}}});
  CHECK(report.all.first_count == 2);
}

TEST_CASE("Missing and unknown queries are told") {
  const auto report =
      cbir::evaluate_copies(kTruth, {{"birds/owl.png.crop.jpg", {"stamps/birds/owl.png"}}, {"what.jpg", {"x"}}});
  CHECK(report.missing == std::vector<std::string>{"birds/emu.png.mirror.jpg", "cats/tom.png.crop.jpg"});
  CHECK(report.unknown_queries == 1);
  CHECK(report.all.first == Approx(1.0 / 3));
  const auto said = cbir::remarks(report);
  REQUIRE(said.size() == 3);
  CHECK(said[0] ==
        "2 copies of the manifest have no ranking and count as not found: birds/emu.png.mirror.jpg, "
        "cats/tom.png.crop.jpg");
  CHECK(said[1] == "1 query that the manifest does not name is left out");
  CHECK(said[2] == "no ranking holds more than 1 result: r@10 counts that alone");
}

TEST_CASE("A ranking of other queries, or of one copy twice, is refused") {
  CHECK_THROWS_AS(cbir::evaluate_copies(kTruth, {{"what.jpg", {"x"}}}), cbir::Incompatible);
  CHECK_THROWS_AS(
      cbir::evaluate_copies(kTruth, {{"a/cats/tom.png.crop.jpg", {"x"}}, {"b/cats/tom.png.crop.jpg", {"x"}}}),
      cbir::Incompatible);
}

TEST_CASE("Originals under other paths give a hint") {
  const auto report = cbir::evaluate_copies(kTruth, {{"birds/owl.png.crop.jpg", filler(12, "elsewhere/owl.png")}});
  CHECK(cbir::remarks(report).back() ==
        "no original stands in the ranking of its copy; were the originals indexed under other paths?");
}

TEST_CASE("A manifest is read with its escapes, more columns ignored") {
  const auto truth = cbir::parse_copy_manifest("a\\tb.jpg\tx.png\tcrop+mirror\t1\n\nc.jpg\ty.png\tcrop\n", "m");
  REQUIRE(truth.size() == 2);
  CHECK(truth[0].copy == "a\tb.jpg");
  CHECK(truth[0].attack == "crop+mirror");
  CHECK_THROWS_AS(cbir::parse_copy_manifest("", "m"), cbir::MissingInput);
  CHECK_THROWS_AS(cbir::parse_copy_manifest("a.jpg\tb.png\n", "m"), cbir::DamagedFile);
  CHECK_THROWS_AS(cbir::parse_copy_manifest("a\tb\tcrop\na\tc\tcrop\n", "m"), cbir::DamagedFile);
}

TEST_CASE("Scores as TSV and JSON") {
  cbir::CopyReport report;
  report.all = {.queries = 3, .first_count = 2, .first = 2.0 / 3, .mrr = 0.75, .recall_10 = 1};
  report.per_attack = {{"crop", {.queries = 1, .first_count = 1, .first = 1, .mrr = 1, .recall_10 = 1}}};
  CHECK(cbir::to_tsv(report) ==
        "first\t0.666667\nmrr\t0.750000\nr@10\t1.000000\nfirst_count\t2\nqueries\t3\nqueries_missing\t0\nqueries_"
        "unknown\t0\n"
        "first\tcrop\t1.000000\nmrr\tcrop\t1.000000\nr@10\tcrop\t1.000000\nfirst_count\tcrop\t1\nqueries\tcrop\t1\n");
  CHECK(
      cbir::to_json(report) ==
      R"({"first":0.6666666666666666,"mrr":0.75,"r@10":1.0,"first_count":2,"queries":3,"queries_missing":0,)"
      R"("queries_unknown":0,"per_attack":[{"attack":"crop","first":1.0,"mrr":1.0,"r@10":1.0,"first_count":1,"queries":1}]})"
      "\n");
}

TEST_CASE("Scores of classes whose names need escaping") {
  cbir::LabelReport report;
  report.cutoffs = {1};
  report.all = {.map = 0.5, .mrr = 1, .r_precision = 0, .precision = {1}, .recall = {0.25}, .hit = {1}, .queries = 7};
  report.per_class = {{"a\tb\xff", report.all}};
  CHECK(cbir::to_tsv(report).ends_with(
      "classes\t0\nmap\ta\\tb\\xff\t0.500000\nmrr\ta\\tb\\xff\t1.000000\n"
      "r_precision\ta\\tb\\xff\t0.000000\np@1\ta\\tb\\xff\t1.000000\n"
      "r@1\ta\\tb\\xff\t0.250000\nhit@1\ta\\tb\\xff\t1.000000\nqueries\ta\\tb\\xff\t7\n"));
  CHECK(cbir::to_json(report).find(R"("per_class":[{"class":"a\\tb\\xff","map":0.5)") != std::string::npos);
}
