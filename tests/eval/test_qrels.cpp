#include <cbir/eval/qrels.hpp>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

TEST_CASE("Qrels are read back as they are written") {
  const std::string text = "b%20c 0 x%25.jpg 2\nb%20c 0 y -1\na 0 x%25.jpg 0\n";
  const auto qrels = cbir::parse_qrels(text, "qrels");
  REQUIRE(qrels.topics.size() == 2);
  CHECK(qrels.topics[0].name == "b c");
  CHECK(qrels.topics[0].judgements[0].item == "x%.jpg");
  CHECK(qrels.topics[0].judgements[1].grade == -1);
  CHECK(cbir::to_text(qrels) == text);
}

TEST_CASE("Columns of qrels are between blanks or tabs, and lines of Windows are lines") {
  CHECK(cbir::parse_qrels("a\tQ0\tx\t1\r\n\r\na  0  y  0\r\n", "qrels").topics[0].judgements.size() == 2);
}

TEST_CASE("What is wrong with qrels is said with its line") {
  CHECK_THROWS_AS(cbir::parse_qrels("", "qrels"), cbir::MissingInput);
  CHECK_THROWS_WITH(cbir::parse_qrels("a 0 x 1\na 0 y\n", "qrels"),
                    "qrels, line 2: found 3 columns; expected TREC qrels: topic iteration item grade");
  CHECK_THROWS_AS(cbir::parse_qrels("a 0 x 99999999999999999999\n", "qrels"), cbir::DamagedFile);
}
