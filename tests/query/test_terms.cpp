#include <cbir/base/error.hpp>
#include <cbir/base/file.hpp>
#include <cbir/query/terms.hpp>

#include <cmath>
#include <limits>

#include <tests/catch.hpp>
#include <tests/temporary.hpp>

using namespace cbir;

namespace {

void check_term(const std::string& argument, const std::string& value, double weight) {
  INFO(argument);
  const Term term = parse_term(argument);
  CHECK(term.value == value);
  CHECK(term.weight == weight);
}

}  // namespace

TEST_CASE("the number after the last colon is the weight of a term") {
  check_term("snow", "snow", 1);
  check_term("snow:0.5", "snow", .5);
  check_term("people:-1", "people", -1);
  check_term("sun:+2", "sun", 2);
  check_term("sun:1e-3", "sun", .001);
  check_term("a: b:2", "a: b", 2);
}

TEST_CASE("what is no number belongs to the text") {
  check_term("note: this", "note: this", 1);
  check_term("note: 5", "note: 5", 1);
  check_term("snow:", "snow:", 1);
  check_term("snow:0.5x", "snow:0.5x", 1);
  check_term("food:nan", "food:nan", 1);
  check_term("food:inf", "food:inf", 1);
  check_term("x:+-1", "x:+-1", 1);
  check_term("x:++1", "x:++1", 1);
  check_term("", "", 1);
}

TEST_CASE("escaped colons belong to the text") {
  check_term("at 10\\:30", "at 10:30", 1);
  check_term("at 10\\:30:2", "at 10:30", 2);
  check_term("at 10:30", "at 10", 30);
  check_term("a\\\\:2", "a\\", 2);
  check_term("C:\\new", "C:\\new", 1);
  check_term("a\\", "a\\", 1);
}

TEST_CASE("terms that cannot be meant are refused") {
  CHECK_THROWS_AS(parse_term(":0.5"), UsageError);
  CHECK_THROWS_WITH(parse_term("snow:1e999"), ContainsSubstring("1e999"));
}

TEST_CASE("a file whose name ends like a weight is a file") {
  const TemporaryFolder folder;
  write_file(folder / "a:2", std::string("x"), false);
  CHECK(parse_path_term(folder / "a:2").value == folder / "a:2");
  CHECK(parse_path_term(folder / "a:2").weight == 1);
  CHECK(parse_path_term(folder / "a:2:3").value == folder / "a:2");
  CHECK(parse_path_term(folder / "a:2:3").weight == 3);
  CHECK(parse_path_term(folder / "b.jpg:.5").value == folder / "b.jpg");
}

TEST_CASE("a combined query is the weighted sum of unit vectors, of length 1") {
  const float vectors[] = {2, 0, 0, 5};
  const double weights[] = {3, 4};
  const auto made = combine({vectors, 2, 2}, weights);
  CHECK(made[0] == Approx(.6));
  CHECK(made[1] == Approx(.8));
  const double without[] = {1, -1};
  const auto less = combine({vectors, 2, 2}, without);
  CHECK(less[0] == Approx(std::sqrt(.5)));
  CHECK(less[1] == Approx(-std::sqrt(.5)));
}

TEST_CASE("a combination that leaves no direction is refused") {
  const double opposed[] = {1, -1}, none[] = {0, 0}, one[] = {1, 1};
  const float same[] = {1, 2, 2, 4.00001F};
  CHECK_THROWS_WITH(combine({same, 2, 2}, opposed), ContainsSubstring("cancel"));
  CHECK_THROWS_AS(combine({same, 2, 2}, none), UsageError);
  CHECK_THROWS_AS(combine({same, 0, 2}, {}), UsageError);
  const float zero[] = {1, 2, 0, 0};
  CHECK_THROWS_WITH(combine({zero, 2, 2}, one), ContainsSubstring("term 2 is zero"));
  const float infinite[] = {1, std::numeric_limits<float>::infinity(), 1, 1};
  CHECK_THROWS_WITH(combine({infinite, 2, 2}, one), ContainsSubstring("term 1 is not finite"));
}
