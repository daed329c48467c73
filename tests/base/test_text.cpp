#include <cbir/base/excerpt.hpp>
#include <cbir/base/text.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <cbir/base/error.hpp>
#include <tests/catch.hpp>

using namespace cbir;
using namespace std::string_literals;

TEST_CASE("UTF-8 is well-formed or not") {
  CHECK(is_utf8("größe 図 😀"));
  CHECK(is_utf8(""));
  CHECK_FALSE(is_utf8("\xff"));
  CHECK_FALSE(is_utf8("\xc0\xaf"));          // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
  CHECK_FALSE(is_utf8("abc\xe2\x82"));       // cut short
}

TEST_CASE("a path in a message cannot move the cursor") {
  CHECK(display_path("a b/ö.jpg") == "a b/ö.jpg");
  CHECK(display_path("a\nb\xff'\x1b") == "$'a\\nb\\xff\\'\\x1b'");
  CHECK(display_path("\xc2\x9b"
                     "2J") == "$'\\xc2\\x9b2J'");  // the C1 form of ESC [
}

TEST_CASE("TSV fields survive escaping") {
  CHECK(tsv_escape("a\tb\\c\nd\xff") == "a\\tb\\\\c\\nd\\xff");
  CHECK(tsv_escape("\x1b[31m \xc2\x9b") == "\\x1b[31m \\xc2\\x9b");  // which a terminal would act on
  for (const std::string& field : {"plain"s, "a\tb\n\r\\"s, "\\x41"s, "\xff\xfe\x80"s, "ends\\"s})
    CHECK(tsv_unescape(tsv_escape(field)) == field);
}

TEST_CASE("percent-encoded ids have no spaces and come back") {
  const std::string path = "a b/ü%\n\xff.jpg";
  CHECK(percent_encode(path) == "a%20b/%C3%BC%25%0A%FF.jpg");
  CHECK(percent_decode(percent_encode(path)) == path);
}

TEST_CASE("base64 follows RFC 4648") {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}};
  for (const auto& [bytes, text] : vectors) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == bytes);
  }
  for (const auto* bad : {"Zg", "Zg=a", "Z===", "Zh==", "Zm9v\n"}) CHECK_THROWS_AS(base64_decode(bad), DamagedFile);
}

TEST_CASE("natural order is how people number files") {
  std::vector<std::string> names = {"img10", "img2", "img1", "img02", "a", "img", "img2b", "B"};
  std::sort(names.begin(), names.end(), natural_less);
  CHECK(names == std::vector<std::string>{"B", "a", "img", "img1", "img02", "img2", "img2b", "img10"});
  CHECK_FALSE(natural_less("x", "x"));
  CHECK(natural_less("12345678901234567890123", "12345678901234567890124"));
}

TEST_CASE("globs match names, or whole paths if they hold a slash") {
  CHECK(glob_match("*.jpg", "a/b/c.jpg"));
  CHECK_FALSE(glob_match("*.jpg", "a/b/c.jpeg"));
  CHECK(glob_match("a/*/c.jpg", "a/b/c.jpg"));
  CHECK_FALSE(glob_match("a/*", "a/b/c.jpg"));
  CHECK(glob_match("a/**", "a/b/c.jpg"));
  CHECK(glob_match("**/c.jpg", "c.jpg"));
  CHECK(glob_match("img[0-9]?", "img7x"));
  CHECK_FALSE(glob_match("img[!0-9]", "img7"));
  CHECK(glob_match("\\*", "*"));
  CHECK_FALSE(glob_match("\\*", "x"));
  CHECK(glob_match("[", "["));
}

TEST_CASE("HTML is escaped, and stray bytes are made visible") {
  CHECK(html_escape("<a href=\"x\">'&\xff") == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\xEF\xBF\xBD");
}

TEST_CASE("sizes are for people") {
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(18'800'000) == "18.8 MB");
  CHECK(human_bytes(999'999) == "1.00 MB");
}

TEST_CASE("numbers are parsed whole or not at all") {
  std::uint64_t value = 0;
  CHECK(parse_number("42", value));
  CHECK(value == 42);
  CHECK_FALSE(parse_number("42x", value));
  CHECK_FALSE(parse_number("", value));
  CHECK_FALSE(parse_number("-1", value));
  CHECK_FALSE(parse_number("99999999999999999999", value));
}

TEST_CASE("texts in messages are quoted and short") {
  CHECK(excerpt("a red bus") == "\"a red bus\"");
  CHECK(excerpt("") == "''");
  CHECK(excerpt("two\nlines\xff") == "$'two\\nlines\\xff'");
  CHECK(excerpt(std::string(80, 'a')) == '"' + std::string(80, 'a') + '"');
  CHECK(excerpt(std::string(81, 'a')) == '"' + std::string(80, 'a') + "\"...");
  CHECK(excerpt(std::string(79, 'a') + "ö") == '"' + std::string(79, 'a') + "\"...");  // no half of a character
}
