#include <cbir/store/rows.hpp>

#include <string>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

using namespace cbir;
using namespace std::string_literals;

TEST_CASE("a row is one line of JSON, keys in a fixed order") {
  const RowInfo row = {.path = "cats/a.jpg",
                       .label = "cats",
                       .seq = 7,
                       .bytes = 1234,
                       .mtime = -5,
                       .width = 640,
                       .height = 480,
                       .xxh3 = "99aa06d3014798d86001c324468d497f"};
  const std::string line =
      R"({"path":"cats/a.jpg","label":"cats","seq":7,"bytes":1234,"mtime":-5,"width":640,"height":480,)"
      R"("xxh3":"99aa06d3014798d86001c324468d497f"})";
  CHECK(to_json_line(row) == line);
  CHECK(parse_row(line, "x") == row);
  CHECK(to_json_line(RowInfo{.path = "17"}) == R"({"path":"17"})");
}

TEST_CASE("a row of a text says so") {
  const RowInfo row = {.path = "a red bus", .text = true, .seq = 3};
  CHECK(to_json_line(row) == R"({"path":"a red bus","text":true,"seq":3})");
  CHECK(parse_row(to_json_line(row), "x") == row);
  CHECK_FALSE(parse_row(R"({"path":"a.jpg","text":"somebody's caption"})", "x").text);
}

TEST_CASE("any path survives: newlines, quotes, bytes that are not UTF-8") {
  CHECK(to_json_line(RowInfo{.path = "a\nb\"\\\t\x01\x0b\x7f/ö"}) ==
        "{\"path\":\"a\\nb\\\"\\\\\\t\\u0001\\u000b\x7f/ö\"}");
  CHECK(to_json_line(RowInfo{.path = "\xff", .label = "\xfe"}) == R"({"path_b64":"/w==","label_b64":"/g=="})");
  std::string every;
  for (int c = 1; c < 256; ++c) every += static_cast<char>(c);
  std::string ascii = every.substr(0, 127);
  for (const std::string& path : {every, ascii, "größe 図 😀"s, ""s}) {
    const std::string line = to_json_line(RowInfo{.path = path, .label = path});
    CHECK(line.find('\n') == std::string::npos);
    CHECK(parse_row(line, "x").path == path);
    CHECK(parse_row(line, "x").label == path);
  }
}

TEST_CASE("a part of a picture has its own name") {
  const RowInfo row{
      .path = "all_souls_1", .picture = "oxford/all_souls_000013.jpg", .box = RowBox{136, 34, 648, 956}, .seq = 0};
  const std::string line = to_json_line(row);
  CHECK(line == R"({"path":"all_souls_1","picture":"oxford/all_souls_000013.jpg","box":[136,34,648,956],"seq":0})");
  CHECK(parse_row(line, "x") == row);
  CHECK(row.picture_path() == row.picture);
  CHECK(parse_row(R"({"path":"a","picture_b64":"/w=="})", "x").picture == "\xff");
  CHECK(RowInfo{.path = "a"}.picture_path() == "a");
  CHECK(RowInfo{.path = "a text", .text = true}.picture_path().empty());
}

TEST_CASE("rows of other programs are read if they make sense") {
  for (const std::string& other :
       {R"([1,2,3])"s, R"([1,2,3,-4])"s, R"([1,2,3,4.5])"s, R"("large")"s, R"([1,2,3,4294967296])"s})
    CHECK_FALSE(parse_row(R"({"path":"a","picture":1,"box":)" + other + "}", "x").box.has_value());
  CHECK(parse_row(R"( {"more": [1, {"x": 2}], "path": "\u00f6"} )", "x").path == "ö");
  for (const std::string& bad :
       {""s, "{"s, "[]"s, "{}"s, R"({"path":1})"s, R"({"path":"a","seq":-1})"s, R"({"path":"a","seq":1.5})"s,
        R"({"path":"a","seq":"1"})"s, R"({"path":"a","width":4294967296})"s,
        R"({"path":"a","mtime":9223372036854775808})"s, R"({"path":"a","xxh3":"12"})"s, R"({"path_b64":"/w="})"s,
        "{\"path\":\"\xff\"}"s, R"({"path":"a"}x)"s, std::string(100'000, '[')})
    CHECK_THROWS_AS(parse_row(bad, "x"), DamagedFile);
  CHECK_THROWS_WITH(parse_row(R"({"path":"a","seq":-1})", "x.rows.jsonl line 3"),
                    R"(x.rows.jsonl line 3: "seq" must be a whole number, found -1)");
}

TEST_CASE("any flipped bit of a row is read or refused") {
  const std::string line =
      to_json_line(RowInfo{.path = "cats/ö\n.jpg", .label = "cats", .seq = 7, .mtime = 1, .width = 2});
  for (std::size_t bit = 0; bit < line.size() * 8; ++bit) {
    std::string flipped = line;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      parse_row(flipped, "x");
    } catch (const DamagedFile& error) {
      CHECK_THAT(error.what(), StartsWith("x: "));
    }
  }
}

TEST_CASE("a failure is one line of JSON") {
  const FailedItem item = {.path = "a\xff", .seq = 3, .stage = "decode", .reason = "truncated JPEG"};
  CHECK(to_json_line(item) == R"({"path_b64":"Yf8=","seq":3,"stage":"decode","reason":"truncated JPEG"})");
  CHECK(parse_failed_item(to_json_line(item), "x") == item);
  CHECK_THROWS_AS(parse_failed_item(R"({"path":"a","seq":3,"stage":"decode"})", "x"), DamagedFile);
}
