#include <cbir/eval/ranking_file.hpp>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

namespace {

using Results = std::vector<std::string>;

std::string message(std::string_view text) {
  try {
    cbir::parse_ranking(text, "run");
  } catch (const cbir::DamagedFile& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("A ranking of cbir-query is read back, escapes undone") {
  const auto ranking = cbir::parse_ranking(
      "a.jpg\t1\t0.900000\tx/b.jpg\n"
      "a.jpg\t2\t0.800000\tx/tab\\there\\xff.jpg\n"
      "b.jpg\t1\t-1.5\tx/c.jpg\n",
      "run");
  REQUIRE(ranking.size() == 2);
  CHECK(ranking[0].query == "a.jpg");
  CHECK(ranking[0].results == Results{"x/b.jpg", "x/tab\there\xff.jpg"});
  CHECK(ranking[1].results == Results{"x/c.jpg"});
}

TEST_CASE("What keypoints prove stands behind the path and is not looked at") {
  const auto found = cbir::parse_ranking("q\t1\t300.5\ta b\t80\t1,0,0,0,1,0,0,0,1\nq\t2\t0.5\tc\t0\t-\n", "run");
  REQUIRE(found.size() == 1);
  CHECK(found[0].results == Results{"a b", "c"});
  CHECK(found[0].scores == std::vector<double>{300.5, .5});
}

TEST_CASE("A TREC run is known by its Q0, whatever separates its columns") {
  const auto ranking = cbir::parse_ranking("q%201 Q0 b 2 0.5 tag\nq%201\tQ0\ta%09\t1\t0.9\ttag\n", "run");
  REQUIRE(ranking.size() == 1);
  CHECK(ranking[0].query == "q 1");
  CHECK(ranking[0].results == Results{"a\t", "b"});
}

TEST_CASE("TREC runs of other people may count ranks from 0") {
  CHECK(cbir::parse_ranking("q Q0 a 0 0.9 t\nq Q0 b 1 0.8 t\n", "run")[0].results == Results{"a", "b"});
}

TEST_CASE("What is wrong with a ranking is said with its line") {
  CHECK(message("q\t1\t0.5\ta\nq\t2\t0.5\n") ==
        "run, line 2: found 3 columns; expected a ranking: query, rank, score and path between tabs");
  CHECK(message("q\tx\t0.5\ta\n").find("'x' is no rank") != std::string::npos);
  CHECK(message("q\t0\t0.5\ta\n").find("'0' is no rank") != std::string::npos);
  CHECK(message("q\t1\thigh\ta\n").find("'high' is no score") != std::string::npos);
  CHECK(message("q\t1\t1\ta\nq\t3\t1\tb\n") ==
        "run: rank 2 of query q is missing; expected each rank from 1 to 2 once");
  CHECK(message("q\t1\t1\ta\nq\t1\t1\tb\n") ==
        "run: rank 1 of query q stands twice; expected each rank from 1 to 2 once");
  CHECK(message("q Q0 a 1 0.9 t\nq Q0 b 2\n").find("line 2: found 4 columns; expected a TREC run") !=
        std::string::npos);
}

TEST_CASE("An empty ranking is a missing input") {
  CHECK_THROWS_AS(cbir::parse_ranking("", "run"), cbir::MissingInput);
  CHECK_THROWS_AS(cbir::parse_ranking("\n\n", "run"), cbir::MissingInput);
}
