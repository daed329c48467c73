#include <functional>
#include <nlohmann/json.hpp>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

#include "lib/store/json.hpp"

using namespace cbir;

namespace {

using Fields = JsonFields<nlohmann::json>;

std::string refusal(const std::function<void()>& read) {
  try {
    read();
  } catch (const DamagedFile& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("fields are read by type, and those that are not there are none") {
  const Fields fields(R"({"n": 3, "x": -1e300, "of": {"parts": [1, 18446744073709551615], "none": []}})", "a.json");
  CHECK(fields.count("n") == 3);
  CHECK(fields.number("n") == 3);
  CHECK(fields.number("x") == -1e300);
  CHECK(fields.object("of")->counts("parts") == std::vector<std::uint64_t>{1, UINT64_MAX});
  CHECK(fields.object("of")->counts("none") == std::vector<std::uint64_t>{});
  CHECK(!fields.count("m"));
  CHECK(!fields.number("m"));
  CHECK(!fields.counts("m"));
  CHECK(!fields.object("m"));
}

TEST_CASE("a number that is no count is refused with its place, whatever its size") {
  for (const std::string number : {"-1", "1.5", "1e27", "18446744073709551616", "true", "null", "\"1\""}) {
    const Fields fields(R"({"of": {"n": )" + number + R"(, "parts": [1, )" + number + "]}}", "a.json");
    const auto of = fields.object("of");
    CHECK(refusal([&] { of->count("n"); }).starts_with("a.json: \"of\": \"n\" must be a whole number, found "));
    CHECK(
        refusal([&] { of->counts("parts"); }).starts_with("a.json: \"of\": \"parts\" must be a list of whole numbers"));
    CHECK(refusal([&] { fields.number("of"); }).starts_with("a.json: \"of\" must be a number, found {"));
    CHECK(refusal([&] { fields.counts("of"); }).starts_with("a.json: \"of\" must be a list of whole numbers, found {"));
    CHECK(refusal([&] { of->object("n"); }).starts_with("a.json: \"of\": \"n\" must be an object, found "));
  }
  CHECK(refusal([] { Fields(R"({"x": 1e999})", "a.json"); }) == "a.json: no well-formed JSON found");
}
